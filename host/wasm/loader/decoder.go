package loader

import (
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// The ids of sections (5.5.2).
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sectionTag // of the exceptions proposal
)

// place is where a section has to stand among the others.
var place = [...]int{
	sectionType: 1, sectionImport: 2, sectionFunction: 3, sectionTable: 4, sectionMemory: 5, sectionGlobal: 6, sectionExport: 7,
	sectionStart: 8, sectionElement: 9, sectionDataCount: 10, sectionCode: 11, sectionData: 12,
}

// The kinds of imports and exports (5.5.5).
const (
	kindFunction byte = iota
	kindTable
	kindMemory
	kindGlobal
)

// decoder is a module taken apart.
type decoder struct {
	types   code // encoded
	imports code // encoded

	signatures []Signature // by type
	imported   []Import    // functions
	functions  []uint32    // types of functions, imported ones first
	tables     []table
	memory     *limits // of the one memory
	globals    []globalVariable
	mutable    int // globals of these that can change
	exports    []export
	start      int // function, -1 for none
	elements   []element
	dataCount  int // announced data segments, -1 for none
	segments   []segment
	bodies     [][]byte

	largestSegment int
	code           code // the rewritten functions
	usesHelpers    bool
	usesSegments   bool
	stateful       bool
}

// decode reads all sections. Element, code and data sections refer to others
// and are read to the end when those are known, which their order guarantees.
func (d *decoder) decode(b []byte) error {
	d.start, d.dataCount = -1, -1
	r := &reader{b: b, at: len(magic) + len(version)}
	for last := 0; r.more(); {
		id, body := r.byte(), r.block()
		if r.err != nil || id == sectionCustom {
			continue
		}
		if id == sectionTag {
			return errors.New("the module uses exceptions; build it without")
		}
		if int(id) >= len(place) {
			return fmt.Errorf("malformed module: unknown section %d", id)
		}
		if place[id] <= last {
			return fmt.Errorf("malformed module: section %d is out of order", id)
		}
		last = place[id]
		s := &reader{b: body}
		if d.section(id, s); s.err == nil && s.at < len(s.b) {
			s.fail("bytes after its end")
		}
		if s.err != nil {
			return fmt.Errorf("malformed module: section %d: %w", id, s.err)
		}
	}
	if r.err != nil {
		return fmt.Errorf("malformed module: %w", r.err)
	}
	if len(d.bodies) != len(d.functions)-len(d.imported) {
		return errors.New("malformed module: functions and code differ in number")
	}
	if d.dataCount >= 0 && d.dataCount != len(d.segments) {
		return errors.New("malformed module: data segments differ in number from what is announced")
	}
	if d.memory == nil {
		return errors.New("the module has no memory and must have one")
	}
	return nil
}

func (d *decoder) section(id byte, r *reader) {
	switch id {
	case sectionType:
		d.types = itemsOf(r)
		r.atMost(maxTypes, "types", func() { d.signatures = append(d.signatures, d.readSignature(r)) })
	case sectionImport:
		d.imports = itemsOf(r)
		r.atMost(maxFunctions, "imports", func() { d.readImport(r) })
	case sectionFunction:
		r.atMost(maxFunctions, "functions", func() { d.functions = append(d.functions, d.typeIndex(r)) })
	case sectionTable:
		r.atMost(maxTables, "tables", func() { d.tables = append(d.tables, readTable(r)) })
	case sectionMemory:
		r.each(func() { d.readMemory(r) })
	case sectionGlobal:
		r.atMost(maxGlobals, "globals", func() { d.readGlobal(r) })
	case sectionExport:
		r.atMost(maxExports, "exports", func() { d.readExport(r) })
	case sectionStart:
		d.readStart(r)
	case sectionElement:
		r.atMost(maxElements, "element segments", func() { d.elements = append(d.elements, d.readElement(r)) })
	case sectionDataCount:
		d.dataCount = int(r.u32())
	case sectionCode:
		r.each(func() { d.bodies = append(d.bodies, r.block()) })
	case sectionData:
		r.atMost(maxData, "data segments", func() { d.segments = append(d.segments, d.readSegment(r)) })
	}
}

// itemsOf returns a vector's encoded items, without its length.
func itemsOf(r *reader) code {
	ahead := *r
	ahead.u32()
	return append(code(nil), ahead.b[ahead.at:]...)
}

// readSignature reads a function type (5.3.6).
func (d *decoder) readSignature(r *reader) Signature {
	if r.byte() != 0x60 {
		r.fail("only function types are supported")
		return Signature{}
	}
	s := Signature{Params: r.valueTypes(), Results: r.valueTypes()}
	if len(s.Params)+len(s.Results) > maxSignature {
		r.failf("a function type with %d parameters and results, at most %d are allowed", len(s.Params)+len(s.Results), maxSignature)
	}
	return s
}

// readImport reads an import (5.5.5).
func (d *decoder) readImport(r *reader) {
	i := Import{Module: r.name(), Name: r.name()}
	if kind := r.byte(); r.err == nil && kind != kindFunction {
		r.failf("the module imports %.64q.%.64q, which is no function; memories, tables and globals must be its own", i.Module, i.Name)
	}
	t := d.typeIndex(r)
	if r.err != nil {
		return
	}
	i.Signature = d.signatures[t]
	d.imported = append(d.imported, i)
	d.functions = append(d.functions, t)
}

func (d *decoder) typeIndex(r *reader) uint32 {
	n := r.u32()
	if uint64(n) >= uint64(len(d.signatures)) {
		r.failf("type %d does not exist", n)
	}
	return n
}

func (d *decoder) functionIndex(r *reader) uint32 {
	n := r.u32()
	if uint64(n) >= uint64(len(d.functions)) {
		r.failf("function %d does not exist", n)
	}
	return n
}

// readMemory reads the limits of the memory (5.3.8).
func (d *decoder) readMemory(r *reader) {
	l := readLimits(r)
	switch {
	case r.err != nil:
	case d.memory != nil:
		r.fail("more than one memory; the module must have one")
	case l.flags&^1 != 0:
		r.fail("the module's memory is shared or 64 bits wide; build it without threads and memory64")
	}
	if r.err == nil && (l.min > maxPages || l.capped() && (l.max < l.min || l.max > maxPages)) {
		r.fail("the bounds of the memory contradict each other or what 32 bits can address")
	}
	d.memory = &l
}

// readStart reads the index of the start function (5.5.11), which the engine
// will not see as such.
func (d *decoder) readStart(r *reader) {
	n := d.functionIndex(r)
	if r.err == nil && !d.signatures[d.functions[n]].Equal(Signature{}) {
		r.fail("the start function has parameters or results")
	}
	d.start = int(n)
}

// readExport reads an export (5.5.10).
func (d *decoder) readExport(r *reader) {
	e := export{name: r.name(), kind: r.byte()}
	if e.kind == kindFunction {
		e.index = d.functionIndex(r)
	} else if e.index = r.u32(); e.kind == kindGlobal && uint64(e.index) >= uint64(len(d.globals)) {
		r.failf("global %d does not exist", e.index)
	}
	if isReserved(e.name) {
		r.failf("the module exports %.64q; names that begin with %s are the host's", e.name, reserved)
	}
	d.exports = append(d.exports, e)
}

// maxPages is how many pages 32 bits can address (3.2.5).
const maxPages = 1 << 16

// memoryMax is how far the memory may grow, in pages.
func (d *decoder) memoryMax() uint64 {
	if d.memory.capped() {
		return d.memory.max
	}
	return maxPages
}

// limits of a table or memory (5.3.7).
type limits struct {
	flags    byte
	min, max uint64
}

func (l limits) capped() bool { return l.flags&1 != 0 }

func readLimits(r *reader) limits {
	l := limits{flags: r.byte()}
	bits := 32
	if l.flags&4 != 0 { // 64-bit memory or table
		bits = 64
	}
	l.min = r.unsigned(bits)
	if l.capped() {
		l.max = r.unsigned(bits)
	}
	return l
}

// globalVariable is a global of the module (5.5.9).
type globalVariable struct {
	kind    api.ValueType
	mutable bool
	initial code
}

func (d *decoder) readGlobal(r *reader) {
	g := globalVariable{kind: r.valueType()}
	mutability := r.byte()
	if mutability > 1 {
		r.fail("unknown mutability of a global")
	}
	if g.mutable = mutability == 1; g.mutable {
		d.mutable++
	}
	if d.mutable > maxMutable {
		r.failf("more than %d globals that can change; keep what they hold in the memory", maxMutable)
	}
	g.initial = d.constant(r)
	d.globals = append(d.globals, g)
}

// savable tells whether the engine's interface can set the global.
func (g globalVariable) savable() bool {
	switch g.kind {
	case api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF32, api.ValueTypeF64:
		return true
	}
	return false
}
