package wasm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// module is what the loader has to know of a WebAssembly module: its outside.
// The code is left to the compiler, which validates it.
type module struct {
	types     []signature
	imports   []imported
	functions []uint32 // type index of each function, imported ones first
	tables    []bounds
	memories  []bounds
	exports   map[string]exported

	tableSection span // where the section of tables stands, its id included
}

// span is a range of a module's bytes.
type span struct {
	from, to int
}

type signature struct {
	params, results []api.ValueType
}

func (s signature) String() string {
	return fmt.Sprintf("(%s) -> (%s)", names(s.params), names(s.results))
}

func (s signature) equal(o signature) bool {
	return slices.Equal(s.params, o.params) && slices.Equal(s.results, o.results)
}

type imported struct {
	module, name string
	kind         byte
	typeIndex    uint32 // of a function
}

type exported struct {
	kind  byte
	index uint32
}

// bounds are the limits of a table (elements) or a memory (pages).
type bounds struct {
	min uint64
	max uint64 // meaningful if capped
	// capped tells whether a maximum is declared.
	capped bool
	flags  byte
	// element is the type byte of a table's elements.
	element byte
}

// The kinds of imports and exports.
const (
	kindFunction byte = iota
	kindTable
	kindMemory
	kindGlobal
	kindTag
)

// The sections that are read.
const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionMemory   = 5
	sectionExport   = 7
)

var header = []byte("\x00asm\x01\x00\x00\x00")

var errNoModule = errors.New("not a WebAssembly module; build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared")

// parseModule reads the outside of a module. It never panics and takes memory
// in proportion to the module's size.
func parseModule(b []byte) (*module, error) {
	if len(b) < len(header) || string(b[:4]) != string(header[:4]) {
		return nil, errNoModule
	}
	if string(b[:len(header)]) != string(header) {
		return nil, errors.New("a WebAssembly component or another version of the format; build a core module of version 1")
	}
	m := &module{exports: map[string]exported{}}
	r := &reader{b: b[len(header):]}
	for r.more() {
		from := len(b) - len(r.b)
		id, body := r.byte(), r.block()
		if r.err != nil {
			break
		}
		if id == sectionTable {
			m.tableSection = span{from, len(b) - len(r.b)}
		}
		s := &reader{b: body}
		if m.section(id, s); s.err != nil {
			return nil, fmt.Errorf("malformed module: section %d: %w", id, s.err)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("malformed module: %w", r.err)
	}
	return m, nil
}

func (m *module) section(id byte, r *reader) {
	switch id {
	case sectionType:
		r.each(func() { m.types = append(m.types, r.signature()) })
	case sectionImport:
		r.each(func() { m.readImport(r) })
	case sectionFunction:
		r.each(func() { m.functions = append(m.functions, r.u32()) })
	case sectionTable:
		r.each(func() { m.tables = append(m.tables, r.table()) })
	case sectionMemory:
		r.each(func() { m.memories = append(m.memories, r.bounds()) })
	case sectionExport:
		r.each(func() {
			name, kind, index := r.name(), r.byte(), r.u32()
			m.exports[name] = exported{kind: kind, index: index}
		})
	}
}

func (m *module) readImport(r *reader) {
	i := imported{module: r.name(), name: r.name(), kind: r.byte()}
	switch i.kind {
	case kindFunction:
		i.typeIndex = r.u32()
		m.functions = append(m.functions, i.typeIndex)
	case kindTable:
		r.table()
	case kindMemory:
		r.bounds()
	case kindGlobal:
		r.byte()
		r.byte()
	case kindTag:
		r.byte()
		r.u32()
	default:
		r.fail("unknown kind of import")
	}
	m.imports = append(m.imports, i)
}

// function returns the signature of an exported function.
func (m *module) function(name string) (signature, bool) {
	e, ok := m.exports[name]
	if !ok || e.kind != kindFunction || uint64(e.index) >= uint64(len(m.functions)) {
		return signature{}, false
	}
	return m.signature(m.functions[e.index])
}

func (m *module) signature(typeIndex uint32) (signature, bool) {
	if uint64(typeIndex) >= uint64(len(m.types)) {
		return signature{}, false
	}
	return m.types[typeIndex], true
}
