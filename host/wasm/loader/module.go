package loader

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"
)

// Version changes with every change of what Load makes of the same bytes.
const Version = 2

// The reserved names. A module that uses them is refused.
const (
	Namespace = "scheduler" // module of the import
	Yield     = "yield"     // the import: () -> (), called when the fuel is used up

	reserved    = Namespace + ":"
	ExportFuel  = reserved + "fuel"  // global i64: what is left until the next yield
	ExportStart = reserved + "start" // the start function, if there is one
)

// Module is what Load made of a module.
type Module struct {
	Bytes []byte // to be compiled

	// Imports are the imports of the original, all of them functions.
	Imports []Import

	// MemoryMin is how many pages of memory the module starts with, and MemoryMax
	// how many it may have. Bytes declares no maximum.
	MemoryMin, MemoryMax uint64

	// Data are the active data segments, in the order to apply them. They alias
	// the original.
	Data []Segment

	// Start tells that ExportStart is to be called once Data is applied.
	Start bool

	// Globals are the names under which mutable globals are exported.
	Globals []string

	// Stateful tells that the module has state that Globals and the memory do not
	// cover: it changes a table, drops a segment, or has a mutable global that
	// the engine's interface cannot set.
	Stateful bool

	functions []Signature // exported ones are looked up here
	exports   map[string]export
}

// Import is an imported function.
type Import struct {
	Module, Name string
	Signature    Signature
}

// Segment is a part of the initial memory.
type Segment struct {
	Offset uint32
	Bytes  []byte
}

type export struct {
	name  string
	kind  byte
	index uint32
}

// Signature is a function type.
type Signature struct {
	Params, Results []api.ValueType
}

// String renders the signature as in (i32, i32) -> (i64).
func (s Signature) String() string {
	return fmt.Sprintf("(%s) -> (%s)", names(s.Params), names(s.Results))
}

// Equal compares two signatures.
func (s Signature) Equal(o Signature) bool {
	return slices.Equal(s.Params, o.Params) && slices.Equal(s.Results, o.Results)
}

func names(types []api.ValueType) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = api.ValueTypeName(t)
	}
	return strings.Join(out, ", ")
}

// Function returns the signature of an exported function.
func (m *Module) Function(name string) (Signature, bool) {
	e, ok := m.exports[name]
	if !ok || e.kind != kindFunction {
		return Signature{}, false
	}
	return m.functions[e.index], true
}

// HasMemory tells whether the memory is exported under a name.
func (m *Module) HasMemory(name string) bool {
	e, ok := m.exports[name]
	return ok && e.kind == kindMemory
}

var (
	magic   = "\x00asm"
	version = "\x01\x00\x00\x00"
)

var errNoModule = errors.New("not a WebAssembly module; build it with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared")

// Load reads a module and writes it anew. It never panics, takes memory in
// proportion to the module's size, and says in its error what it did not
// like. It does not keep b, but Data aliases it.
func Load(b []byte) (*Module, error) {
	if !strings.HasPrefix(string(b[:min(len(b), 8)]), magic) {
		return nil, errNoModule
	}
	if !strings.HasPrefix(string(b[:min(len(b), 8)]), magic+version) {
		return nil, errors.New("a WebAssembly component or another version of the format; build a core module of version 1")
	}
	d := &decoder{}
	if err := d.decode(b); err != nil {
		return nil, err
	}
	m, err := d.module()
	if err != nil {
		return nil, err
	}
	m.Bytes = d.encode(len(b))
	return m, nil
}
