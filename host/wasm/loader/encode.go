package loader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"
)

const (
	i32Type = api.ValueTypeI32
	i64Type = api.ValueTypeI64
)

// module checks what no single section shows, rewrites the code and collects
// what the host needs to know.
func (d *decoder) module() (*Module, error) {
	if total := d.tableTotal(); total > maxTable {
		return nil, fmt.Errorf("the module declares tables of %d elements, at most %d are allowed", total, maxTable)
	}
	if len(d.functions) > maxFunctions {
		return nil, fmt.Errorf("the module has %d functions, at most %d are allowed", len(d.functions), maxFunctions)
	}
	m := &Module{Imports: d.imported, MemoryMin: d.memory.min, MemoryMax: d.memoryMax(), Start: d.start >= 0, exports: map[string]export{}}
	for _, s := range d.segments {
		d.largestSegment = max(d.largestSegment, len(s.Bytes))
		if s.active {
			m.Data = append(m.Data, s.Segment)
		}
	}
	if err := d.rewrite(); err != nil {
		return nil, err
	}
	m.Stateful = d.stateful
	for i, g := range d.globals {
		switch {
		case !g.mutable:
		case g.savable():
			m.Globals = append(m.Globals, globalName(i))
		default:
			m.Stateful = true
		}
	}
	for _, t := range d.functions {
		m.functions = append(m.functions, d.signatures[t])
	}
	for _, e := range d.exports {
		m.exports[e.name] = e
	}
	return m, nil
}

func globalName(index int) string { return reserved + "global" + strconv.Itoa(index) }

// encode writes the module anew.
func (d *decoder) encode(size int) []byte {
	out := make(code, 0, size+size/2)
	out = append(out, magic+version...)

	types := d.types.op(0x60, 0, 0).op(0x60, 3, i32Type, i32Type, i32Type, 0)
	out = out.section(sectionType, uint32(len(d.signatures)+2), types)

	yieldType, helperType := uint32(len(d.signatures)), uint32(len(d.signatures)+1)
	imports := d.imports.name(Namespace).name(Yield).op(kindFunction).u32(yieldType)
	out = out.section(sectionImport, uint32(len(d.imported)+1), imports)

	functions := code(nil)
	for _, t := range d.functions[len(d.imported):] {
		functions = functions.u32(t)
	}
	for range d.helperCount() {
		functions = functions.u32(helperType)
	}
	count := uint32(len(d.bodies)) + d.helperCount()
	out = out.section(sectionFunction, count, functions)
	out = out.section(sectionTable, uint32(len(d.tables)), d.encodeTables())
	out = out.section(sectionMemory, 1, code{0}.u64(d.memory.min))
	out = out.section(sectionGlobal, uint32(len(d.globals)+1), d.encodeGlobals())
	exports, n := d.encodeExports()
	out = out.section(sectionExport, n, exports)

	elements := code(nil)
	for _, e := range d.elements {
		elements = append(elements, e...)
	}
	out = out.section(sectionElement, uint32(len(d.elements)), elements)
	keep := d.dataCount >= 0 && d.usesSegments
	if keep {
		out = append(out, sectionDataCount).block(code(nil).u32(uint32(len(d.segments))))
	}
	for n := range d.helperCount() {
		d.code = d.code.block(d.encodeHelper(n))
	}
	out = out.section(sectionCode, count, d.code)
	if keep {
		out = out.section(sectionData, uint32(len(d.segments)), d.encodeSegments())
	}
	return out
}

func (d *decoder) helperCount() uint32 {
	if d.usesHelpers {
		return helpers
	}
	return 0
}

// encodeGlobals adds the fuel counter.
func (d *decoder) encodeGlobals() (items code) {
	for _, g := range d.globals {
		items = items.op(g.kind)
		if g.mutable {
			items = items.op(1)
		} else {
			items = items.op(0)
		}
		items = append(items, g.initial...)
	}
	return items.op(i64Type, 1).i64(0).op(opEnd)
}

// encodeExports adds the mutable globals, the fuel counter and the start
// function.
func (d *decoder) encodeExports() (items code, n uint32) {
	add := func(e export) {
		if e.kind == kindFunction {
			e.index = d.moved(e.index)
		}
		items = items.name(e.name).op(e.kind).u32(e.index)
		n++
	}
	for _, e := range d.exports {
		add(e)
	}
	for i, g := range d.globals {
		if g.mutable && g.savable() {
			add(export{globalName(i), kindGlobal, uint32(i)})
		}
	}
	add(export{ExportFuel, kindGlobal, d.fuel()})
	if d.start >= 0 {
		add(export{ExportStart, kindFunction, uint32(d.start)})
	}
	return items, n
}

func isReserved(name string) bool { return strings.HasPrefix(name, reserved) }
