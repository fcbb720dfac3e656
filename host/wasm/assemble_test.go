package wasm_test

import (
	"bytes"
	"encoding/binary"
)

// assembly is a small module, written by hand: the ABI's exports, with parts
// that a test replaces.
type assembly struct {
	marker      []byte   // body of task_abi_v1
	globals     []string // encoded globals
	tail        int      // address of one more byte of data, 0 for none
	imports     []string // encoded imports of functions; they come before the module's own
	alloc       []byte   // body of task_alloc
	handle      []byte   // body of task_handle
	extra       []byte   // body of a function (i32) -> (i32), index importsN+3
	extraLocals []byte   // its locals, encoded; none by default
	memory      []byte   // limits of the memory
	tables      [][]byte // encoded tables
	exports     []string // encoded exports, instead of the usual ones
}

// The function types of an assembly, by index.
const (
	typeNothing = iota // () -> ()
	typeAlloc          // (i32) -> (i32)
	typeHandle         // (i32, i32) -> (i64)
	typeCall           // (i32, i32, i32, i32) -> (i32)
	typeTake           // (i32) -> ()
)

// Instructions.
const (
	opUnreachable = 0x00
	opBlock       = 0x02
	opLoop        = 0x03
	opIf          = 0x04
	opEnd         = 0x0b
	opBr          = 0x0c
	opBrIf        = 0x0d
	opCall        = 0x10
	opDrop        = 0x1a
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opLocalTee    = 0x22
	opGlobalGet   = 0x23
	opGlobalSet   = 0x24
	opMemoryGrow  = 0x40
	opI32Const    = 0x41
	opI64Const    = 0x42
	opI32Eqz      = 0x45
	opI32Ne       = 0x47
	opI64Eqz      = 0x50
	opI32Add      = 0x6a
	opI32Sub      = 0x6b
	opI64Sub      = 0x7d
	opRefNull     = 0xd0
	opPrefix      = 0xfc
	opTableGrow   = 0x0f
	opTableSize   = 0x10
	opTableFill   = 0x11
)

// okay answers the frame at address 0, which is an empty success.
var okay = i64Const(6)

// assembled is a module that answers every request with success.
func assembled() assembly {
	return assembly{alloc: i32Const(1024), handle: okay, extra: i32Const(0), memory: []byte{0, 1}}
}

// bytes encodes the module.
func (a assembly) bytes() []byte {
	first := uint64(len(a.imports))
	exports := a.exports
	if exports == nil {
		exports = shifted(first)
	}
	types := vector("\x60\x00\x00", "\x60\x01\x7f\x01\x7f", "\x60\x02\x7f\x7f\x01\x7e", "\x60\x04\x7f\x7f\x7f\x7f\x01\x7f", "\x60\x01\x7f\x00")
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, types)
	out = section(out, 2, vector(a.imports...))
	out = section(out, 3, vector("\x00", "\x01", "\x02", "\x01"))
	if len(a.tables) > 0 {
		out = section(out, 4, vectorOf(a.tables))
	}
	out = section(out, 5, vector(string(a.memory)))
	if len(a.globals) > 0 {
		out = section(out, 6, vector(a.globals...))
	}
	out = section(out, 7, vector(exports...))
	out = section(out, 10, vector(body(a.marker), body(a.alloc), body(a.handle), bodyWith(a.extraLocals, a.extra)))
	frame := "\x02\x00\x00\x00{}"
	data := []string{"\x00\x41\x00\x0b" + string(uleb(uint64(len(frame)))) + frame}
	if a.tail > 0 {
		data = append(data, "\x00"+string(i32Const(int32(a.tail)))+"\x0b\x01x")
	}
	return section(out, 11, vector(data...))
}

// shifted are the usual exports of a module with that many imports.
func shifted(first uint64) []string {
	return []string{
		export("memory", 2, 0), export("task_abi_v1", 0, first), export("task_alloc", 0, first+1), export("task_handle", 0, first+2),
	}
}

func section(out []byte, id byte, content []byte) []byte {
	out = append(out, id)
	out = append(out, uleb(uint64(len(content)))...)
	return append(out, content...)
}

func vector(items ...string) []byte {
	out := uleb(uint64(len(items)))
	for _, item := range items {
		out = append(out, item...)
	}
	return out
}

func vectorOf(items [][]byte) []byte {
	return append(uleb(uint64(len(items))), bytes.Join(items, nil)...)
}

func name(s string) string { return string(uleb(uint64(len(s)))) + s }

func export(s string, kind byte, index uint64) string {
	return name(s) + string(rune(kind)) + string(uleb(index))
}

func importFunction(module, function string, typeIndex byte) string {
	return name(module) + name(function) + "\x00" + string(rune(typeIndex))
}

// body is a function without locals.
func body(code []byte) string { return bodyWith(nil, code) }

func bodyWith(locals, code []byte) string {
	if locals == nil {
		locals = []byte{0}
	}
	code = append(append(bytes.Clone(locals), code...), opEnd)
	return string(uleb(uint64(len(code)))) + string(code)
}

func uleb(n uint64) []byte { return binary.AppendUvarint(nil, n) }

func sleb(n int64) []byte {
	var out []byte
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func i32Const(n int32) []byte { return append([]byte{opI32Const}, sleb(int64(n))...) }

func i64Const(n int64) []byte { return append([]byte{opI64Const}, sleb(n)...) }

func code(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
