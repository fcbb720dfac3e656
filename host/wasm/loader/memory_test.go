package loader_test

import "github.com/tetratelabs/wazero/experimental"

// bounded gives memory up to a number of pages, and never more than the test
// can spare: the rewritten module has no maximum of its own.
type bounded struct {
	pages uint64
}

const spare = 256 << 20

func (b bounded) Allocate(_, _ uint64) experimental.LinearMemory {
	return &plainMemory{limit: min(b.pages<<16, spare)}
}

type plainMemory struct {
	limit uint64
	bytes []byte
}

func (m *plainMemory) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	m.bytes = append(m.bytes, make([]byte, size-uint64(len(m.bytes)))...)
	return m.bytes
}

func (m *plainMemory) Free() {}
