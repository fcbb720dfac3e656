package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxTable is how many elements the tables of a module may have together. A
// table is no linear memory: eight bytes an element are taken from the server
// beside the memory limit.
const maxTable = 1 << 20

// checkTables refuses tables that are larger than any program needs.
func (m *module) checkTables() error {
	total := uint64(0)
	for _, t := range m.tables {
		if t.flags&^1 != 0 {
			return errors.New("the module's table is shared or 64 bits wide; build it without threads and memory64")
		}
		total += t.min
		if t.min > maxTable || total > maxTable || t.capped && t.max > maxTable {
			return fmt.Errorf("the module declares tables of %d elements, at most %d are allowed", max(total, t.max), maxTable)
		}
	}
	return nil
}

// capTables returns the module's bytes with a maximum on every table. Without
// one, a table can grow at run time until the server has no memory left, and
// the engine has no limit for it.
func (m *module) capTables(b []byte) []byte {
	if len(m.tables) == 0 {
		return b
	}
	body := binary.AppendUvarint(nil, uint64(len(m.tables)))
	for _, t := range m.tables {
		// All tables together stay below the bound: what is left is divided.
		limit := max(t.min, uint64(maxTable/len(m.tables)))
		if t.capped {
			limit = min(limit, max(t.max, t.min))
		}
		body = append(body, t.element, 1)
		body = binary.AppendUvarint(body, t.min)
		body = binary.AppendUvarint(body, limit)
	}
	out := make([]byte, 0, len(b)+len(body))
	out = append(out, b[:m.tableSection.from]...)
	out = append(out, sectionTable)
	out = binary.AppendUvarint(out, uint64(len(body)))
	out = append(out, body...)
	return append(out, b[m.tableSection.to:]...)
}
