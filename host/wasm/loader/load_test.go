package loader_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/host/wasm/loader"
	"github.com/stretchr/testify/require"
)

// Instructions.
const (
	opNop       = 0x01
	opBlock     = 0x02
	opLoop      = 0x03
	opIf        = 0x04
	opElse      = 0x05
	opEnd       = 0x0b
	opCall      = 0x10
	opDrop      = 0x1a
	opLocalGet  = 0x20
	opLocalSet  = 0x21
	opGlobalGet = 0x23
	opGlobalSet = 0x24
	opI32Const  = 0x41
	opI64Const  = 0x42
	void        = 0x40
)

// What was out of range before must not reach what the loader adds.
func TestLoadRefusesIndicesOutOfRange(t *testing.T) {
	tests := map[string]struct {
		module *module
		want   string
	}{
		"the fuel":      {newModule().function(opI64Const, 0, opGlobalSet, 0), "global 0 does not exist"},
		"a local":       {newModule().function(opLocalGet, 0, opDrop), "local 0 does not exist"},
		"the yield":     {newModule().function(opCall, 1), "function 1 does not exist"},
		"a type":        {newModule().function(opI32Const, 0, 0x11, 1, 0), "type 1 does not exist"},
		"a block type":  {newModule().function(0x02, 1, opEnd), "type 1 does not exist"},
		"an export":     {with(func(m *module) { m.exports = []string{export("x", 0, 1)} }), "function 1 does not exist"},
		"a global":      {with(func(m *module) { m.exports = []string{export("x", 3, 0)} }), "global 0 does not exist"},
		"a start":       {with(func(m *module) { m.start = "\x01" }), "function 1 does not exist"},
		"an element":    {with(func(m *module) { m.elements = []string{"\x00\x41\x00\x0b\x01\x01"} }), "function 1 does not exist"},
		"ref.func":      {newModule().function(0xd2, 1, opDrop), "function 1 does not exist"},
		"a function":    {with(func(m *module) { m.functions = []string{"\x01"} }), "type 1 does not exist"},
		"reserved name": {with(func(m *module) { m.exports = []string{export(loader.ExportFuel, 0, 0)} }), "are the host's"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := loader.Load(test.module.bytes())
			require.ErrorContains(t, err, test.want)
		})
	}
}

// with is a module with one function, changed by f.
func with(f func(*module)) *module {
	m := newModule().function(opNop)
	f(m)
	return m
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	tests := map[string]struct {
		module *module
		want   string
	}{
		"exceptions":            {newModule().function(0x06, void, opEnd), "exceptions"},
		"tags":                  {with(func(m *module) { m.behind = "\x0d\x03\x01\x00\x00" }), "exceptions"},
		"tail calls":            {newModule().function(0x12, 0), "tail calls"},
		"threads":               {newModule().function(0xfe, 0x03), "threads"},
		"unknown opcode":        {newModule().function(0xff), "unknown instruction 0xff"},
		"unknown bulk opcode":   {newModule().function(0xfc, 18), "unknown instruction 0xfc 18"},
		"relaxed vectors":       {newModule().function(0xfd, 0x80, 0x02), "vector instruction 0xfd 256"},
		"another memory":        {newModule().function(opI32Const, 0, 0x28, 0x42, 0, 0, opDrop), "another memory"},
		"a local of two bytes":  {with(func(m *module) { m.bodies[0] = sized("\x01\x01\x64\x00\x0b") }), "value type 0x64"},
		"a block of two bytes":  {newModule().function(0x02, 0x64, 0, opEnd), "value type 0x64"},
		"a null of two bytes":   {newModule().function(0xd0, 0xf0, 0, opDrop), "value type 0xf0"},
		"a null number":         {newModule().function(0xd0, 0x7f, opDrop), "no type of references"},
		"a select of two bytes": {newModule().function(opI32Const, 0, opI32Const, 0, opI32Const, 0, 0x1c, 1, 0x64, 0, opDrop), "value type 0x64"},
		"a type of two bytes":   {with(func(m *module) { m.types[0] = "\x60\x01\x64\x00\x00" }), "value type 0x64"},
		"a global of two bytes": {with(func(m *module) { m.globals = []string{"\x64\x00\x00\xd0\x70\x0b"} }), "value type 0x64"},
		"a table of two bytes":  {with(func(m *module) { m.tables = []string{"\x64\x00\x00\x00"} }), "value type 0x64"},
		"elements of a kind":    {with(func(m *module) { m.elements = []string{"\x01\x01\x00"} }), "kind of elements"},
		"fill another memory":   {newModule().function(opI32Const, 0, opI32Const, 0, opI32Const, 0, 0xfc, 11, 1), "another memory"},
		"copy another memory":   {newModule().function(opI32Const, 0, opI32Const, 0, opI32Const, 0, 0xfc, 10, 0, 1), "another memory"},
		"two memories":          {with(func(m *module) { m.memory = "\x00\x01" + "\x00\x01" }), "after its end"},
		"no memory":             {with(func(m *module) { m.memory = "" }), "must have one"},
		"shared memory":         {with(func(m *module) { m.memory = "\x03\x01\x02" }), "shared"},
		"64-bit memory":         {with(func(m *module) { m.memory = "\x04\x01" }), "64 bits"},
		"memory beyond 32 bits": {with(func(m *module) { m.memory = "\x01\x01" + string(uleb(65537)) }), "bounds of the memory"},
		"a table's bounds":      {with(func(m *module) { m.tables = []string{"\x70\x01\x02\x01"} }), "bounds of a table"},
		"imported memory":       {with(func(m *module) { m.imports = []string{sized("a") + sized("b") + "\x02\x00\x01"} }), `"a"."b", which is no function`},
		"imported global":       {with(func(m *module) { m.imports = []string{sized("a") + sized("b") + "\x03\x7f\x00"} }), "which is no function"},
		"sections out of order": {with(func(m *module) { m.behind = "\x01\x01\x00" }), "out of order"},
		"code without function": {with(func(m *module) { m.functions = append(m.functions, "\x00") }), "differ in number"},
		"a large type":          {with(func(m *module) { m.types[0] = "\x60" + sized(strings.Repeat("\x7f", 1001)) + "\x00" }), "1001 parameters"},
		"a large table":         {with(func(m *module) { m.tables = []string{"\x70\x00" + string(uleb(60_000_000))} }), "60000000 elements"},
		"many tables": {with(func(m *module) {
			m.tables = []string{"\x70\x00" + string(uleb(1<<20)), "\x70\x00" + string(uleb(1<<20))}
		}),
			"2097152 elements"},
		"a start with parameters": {with(func(m *module) { m.types[0], m.start = "\x60\x01\x7f\x00", "\x00" }), "start function"},
		"computed data":           {with(func(m *module) { m.data = []string{"\x00\x23\x00\x0b\x00"} }), "no constant"},
		"code behind the end":     {newModule().function(opEnd, opNop), "after the end of a function"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := loader.Load(test.module.bytes())
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err := loader.Load(with(func(*module) {}).bytes())
	require.NoError(t, err, "what the cases changed was fine before")
}

// What takes the engine far more memory than the module has bytes is counted.
func TestLoadRefusesTooMuchOfOneKind(t *testing.T) {
	const mutable, constant, data = "\x7f\x01\x41\x00\x0b", "\x7f\x00\x41\x00\x0b", "\x01\x00"
	tests := map[string]struct {
		most int
		fill func(m *module, n int)
	}{
		"types":                   {50_000, func(m *module, n int) { m.types = slices.Repeat(m.types, n) }},
		"tables":                  {100, func(m *module, n int) { m.tables = slices.Repeat([]string{"\x70\x00\x00"}, n) }},
		"globals":                 {10_000, func(m *module, n int) { m.globals = slices.Repeat([]string{constant}, n) }},
		"globals that can change": {1000, func(m *module, n int) { m.globals = slices.Repeat([]string{mutable}, n) }},
		"exports":                 {10_000, func(m *module, n int) { m.exports = exportsOf(n) }},
		"element segments":        {10_000, func(m *module, n int) { m.elements = slices.Repeat([]string{"\x01\x00\x00"}, n) }},
		"data segments":           {100_000, func(m *module, n int) { m.data = slices.Repeat([]string{data}, n) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := loader.Load(with(func(m *module) { test.fill(m, test.most) }).bytes())
			require.NoError(t, err)
			_, err = loader.Load(with(func(m *module) { test.fill(m, test.most+1) }).bytes())
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, fmt.Sprint(test.most))
		})
	}
}

// exportsOf exports the first function n times.
func exportsOf(n int) (all []string) {
	for i := range n {
		all = append(all, export(fmt.Sprint("f", i), 0, 0))
	}
	return all
}

// compileBomb is a few kilobytes that take the compiler minutes: loops within
// loops that carry many locals.
func compileBomb(depth, locals int) []byte {
	var code []byte
	each := locals / depth
	for i := range depth {
		code = append(code, opLoop, void)
		for j := range each {
			n := uleb(uint64(i*each + j))
			code = append(append(append(code, opLocalGet), n...), opI32Const, 1, 0x6a, opLocalSet)
			code = append(code, n...)
		}
	}
	for range depth {
		code = append(code, opI32Const, 0, 0x0d, 0, opEnd)
	}
	m := newModule()
	m.functions = []string{"\x00"}
	m.bodies = []string{sized("\x01" + string(uleb(uint64(locals))) + "\x7f" + string(code) + "\x0b")}
	return m.bytes()
}

func TestLoadRefusesCompileBombs(t *testing.T) {
	blocks := newModule().function([]byte(strings.Repeat("\x02\x40\x0b", 20_000))...)
	locals := newModule()
	locals.functions, locals.bodies = []string{"\x00"}, []string{sized("\x01" + string(uleb(1<<30)) + "\x7f\x0b")}
	for name, b := range map[string][]byte{
		"nested loops over locals": compileBomb(40, 4000),
		"blocks":                   blocks.bytes(),
		"locals":                   locals.bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := loader.Load(b)
			require.ErrorContains(t, err, "function 0: ")
			require.Less(t, time.Since(start), time.Second)
		})
	}
	_, err := loader.Load(compileBomb(5, 100))
	require.NoError(t, err)

	many := newModule()
	body := newModule().function([]byte(strings.Repeat("\x02\x40\x0b", 6000))...).bodies[0]
	for range 80 {
		many.functions, many.bodies = append(many.functions, "\x00"), append(many.bodies, body)
	}
	_, err = loader.Load(many.bytes())
	require.ErrorContains(t, err, "to compile")
}

// branches are functions that take long to compile without a block in sight: n
// br_if to one place, or to n places, with or without locals that were set
// before, and n if.
var branches = map[string]struct {
	most  int // that are compiled; a fifth more are refused
	build func(n int) []byte
}{
	"br_if": {11_000, func(n int) []byte { return single(1, opBlock, void, slices.Repeat(brIf(0), n), opEnd) }},
	"br_if behind locals": {1350, func(n int) []byte {
		return single(400, opBlock, void, brIf(0), settings(400), slices.Repeat(brIf(0), n), opEnd, readings(400))
	}},
	"br_if to many places": {1750, func(n int) []byte {
		var out []byte
		for i := range n {
			out = append(out, brIf(uint64(i))...)
		}
		return single(200, slices.Repeat([]byte{opBlock, void}, n), out, settings(200), slices.Repeat([]byte{opEnd}, n), readings(200))
	}},
	"if without return": {6000, func(n int) []byte {
		return single(1, slices.Repeat([]byte{opLocalGet, 0, opIf, void, 0, opEnd}, n))
	}},
	"else": {7000, func(n int) []byte {
		return single(1, slices.Repeat([]byte{opLocalGet, 0, opIf, void, opElse, opEnd}, n))
	}},
}

// single is a module of one function, put together from bytes and slices.
func single(locals int, parts ...any) []byte {
	body := append([]byte{1}, append(uleb(uint64(locals)), 0x7f)...)
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			body = append(body, byte(p))
		case []byte:
			body = append(body, p...)
		}
	}
	m := newModule()
	m.functions, m.bodies = []string{"\x00"}, []string{sized(string(append(body, opEnd)))}
	return m.bytes()
}

func brIf(to uint64) []byte { return append([]byte{opLocalGet, 0, 0x0d}, uleb(to)...) }

// settings sets locals, and readings reads them.
func settings(locals int) (code []byte) {
	for i := range locals {
		code = append(append(code, opI32Const, 1, opLocalSet), uleb(uint64(i))...)
	}
	return code
}

func readings(locals int) (code []byte) {
	for i := range locals {
		code = append(append(append(code, opLocalGet), uleb(uint64(i))...), opDrop)
	}
	return code
}

func TestLoadRefusesBranchBombs(t *testing.T) {
	for name, b := range branches {
		t.Run(name, func(t *testing.T) {
			_, err := loader.Load(b.build(b.most))
			require.NoError(t, err)
			_, err = loader.Load(b.build(b.most * 6 / 5))
			require.ErrorContains(t, err, "would take too long to compile")
		})
	}
}

// What no control reaches leads nowhere: a branch there hides nothing.
func TestDeadBranchesDoNotHideABomb(t *testing.T) {
	hidden := []byte{opBlock, void, opBlock, void, 0x0c, 1, 0x0c, 0, opEnd, opEnd}
	_, err := loader.Load(single(400, opBlock, void, brIf(0), settings(400), slices.Repeat(append(hidden, brIf(0)...), 2000), opEnd, readings(400)))
	require.ErrorContains(t, err, "would take too long to compile")
}

func TestLoadTellsWhatARunCanLeaveBehind(t *testing.T) {
	plain, err := loader.Load(with(func(m *module) {
		m.globals = []string{"\x7f\x01\x41\x00\x0b", "\x7f\x00\x41\x00\x0b", "\x7c\x01\x44\x00\x00\x00\x00\x00\x00\x00\x00\x0b"}
		m.data = []string{"\x00\x41\x05\x0b\x02hi", "\x02\x00\x41\x07\x0b\x01!"}
		m.start = "\x00"
	}).bytes())
	require.NoError(t, err)
	require.False(t, plain.Stateful)
	require.True(t, plain.Start)
	require.Len(t, plain.Globals, 2, "the second cannot change")
	require.Equal(t, []loader.Segment{{Offset: 5, Bytes: []byte("hi")}, {Offset: 7, Bytes: []byte("!")}}, plain.Data)

	for name, m := range map[string]*module{
		"table.set":   newModule().function(opI32Const, 0, 0xd0, 0x70, 0x26, 0),
		"table.grow":  newModule().function(0xd0, 0x70, opI32Const, 1, 0xfc, 15, 0, opDrop),
		"elem.drop":   newModule().function(0xfc, 13, 0),
		"data.drop":   newModule().function(0xfc, 9, 0),
		"a reference": with(func(m *module) { m.globals = []string{"\x6f\x01\xd0\x6f\x0b"} }),
	} {
		t.Run(name, func(t *testing.T) {
			m.tables = []string{"\x70\x00\x01"}
			got, err := loader.Load(m.bytes())
			require.NoError(t, err)
			require.True(t, got.Stateful)
		})
	}
}

// The helpers have to do what the instructions do: with overlap in both
// directions, over many pieces, and trapping before they write.
func TestCopiesInPieces(t *testing.T) {
	m := newModule()
	m.types = []string{"\x60\x03\x7f\x7f\x7f\x00"}
	m.memory = "\x00\x20" // 2 MiB
	arguments := []byte{opLocalGet, 0, opLocalGet, 1, opLocalGet, 2}
	m.function(append(arguments, 0xfc, 10, 0, 0)...)
	m.function(append(arguments, 0xfc, 11, 0)...)
	m.exports = []string{export("copy", 0, 0), export("fill", 0, 1), export("memory", 2, 0)}
	e := newEngine(t)
	was, is := e.original(t, m.bytes()), e.rewritten(t, m.bytes())
	const size = 2 << 20
	pattern := bytes.Repeat([]byte("a pattern of no power of two"), size/28+1)[:size]
	for _, c := range [][3]uint64{
		{0, 0, 0}, {10, 20, 5}, {0, 100, 1 << 20}, {100, 0, 1 << 20}, {0, 1 << 20, 1 << 20}, {300_000, 1, 1_500_001}, {1, 300_000, 1_500_001},
		{size, 0, 0}, {size, 0, 1}, {size + 1, 0, 0}, {0, size - 5, 6}, {size - 5, 0, 6}, {0, 0, 1<<32 - 1}, {1<<32 - 1, 1, 1<<32 - 1}, {0, 0, size}, {7, 7, 700_000},
	} {
		for _, name := range []string{"copy", "fill"} {
			copy(content(was), pattern)
			copy(content(is), pattern)
			_, want := was.ExportedFunction(name).Call(t.Context(), c[:]...)
			_, got := is.ExportedFunction(name).Call(t.Context(), c[:]...)
			require.Equal(t, reason(want), reason(got), "%s%v", name, c)
			require.True(t, bytes.Equal(content(was), content(is)), "%s%v", name, c)
		}
	}
	require.Greater(t, e.yields, 10)
}

// Instructions that take long are not done one after the other without a look at
// the fuel, however straight the code is.
func TestDearInstructionsYieldOneByOne(t *testing.T) {
	const times = 20
	zero := []byte{opI32Const, 0}
	null := []byte{0xd0, 0x70}
	segment := strings.Repeat("x", 1<<17) // a larger one costs more
	for name, instruction := range map[string][]byte{
		"table.fill":  slices.Concat(zero, null, zero, []byte{0xfc, 17, 0}),
		"table.grow":  slices.Concat(null, zero, []byte{0xfc, 15, 0, 0x1a}),
		"table.copy":  slices.Concat(zero, zero, zero, []byte{0xfc, 14, 0, 0}),
		"table.init":  slices.Concat(zero, zero, zero, []byte{0xfc, 12, 0, 0}),
		"memory.init": slices.Concat(zero, zero, zero, []byte{0xfc, 8, 0, 0}),
	} {
		t.Run(name, func(t *testing.T) {
			m := newModule()
			m.tables = []string{"\x70\x00\x01"}
			m.elements = []string{"\x01\x00\x01\x00"} // passive, the function
			m.dataCount = "\x01"
			m.data = []string{"\x01" + sized(segment)}
			m.function(bytes.Repeat(instruction, times)...)
			m.exports = []string{export("f", 0, 0)}
			e := newEngine(t)
			_, err := e.rewritten(t, m.bytes()).ExportedFunction("f").Call(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, e.yields, times)
		})
	}
}
