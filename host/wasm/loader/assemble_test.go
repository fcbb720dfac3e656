package loader_test

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// module is a module that is written by hand, section by section. Each item
// is encoded.
type module struct {
	types, imports, functions, tables []string
	memory                            string
	globals, exports                  []string
	start                             string
	elements                          []string
	dataCount                         string
	bodies, data                      []string
	behind                            string // sections at the end
}

// newModule is a module with the type () -> () and a page of memory.
func newModule() *module {
	return &module{types: []string{"\x60\x00\x00"}, memory: "\x00\x01"}
}

// function adds a function of the first type, without locals.
func (m *module) function(code ...byte) *module {
	m.functions = append(m.functions, "\x00")
	m.bodies = append(m.bodies, sized("\x00"+string(code)+"\x0b"))
	return m
}

func (m *module) bytes() []byte {
	var out bytes.Buffer
	out.WriteString("\x00asm\x01\x00\x00\x00")
	section := func(id byte, items []string) {
		if len(items) > 0 {
			out.WriteByte(id)
			out.WriteString(sized(string(uleb(uint64(len(items)))) + strings.Join(items, "")))
		}
	}
	raw := func(id byte, content string) {
		if content != "" {
			out.WriteByte(id)
			out.WriteString(sized(content))
		}
	}
	section(1, m.types)
	section(2, m.imports)
	section(3, m.functions)
	section(4, m.tables)
	if m.memory != "" {
		section(5, []string{m.memory})
	}
	section(6, m.globals)
	section(7, m.exports)
	raw(8, m.start)
	section(9, m.elements)
	raw(12, m.dataCount)
	section(10, m.bodies)
	section(11, m.data)
	out.WriteString(m.behind)
	return out.Bytes()
}

func sized(s string) string { return string(uleb(uint64(len(s)))) + s }

func export(name string, kind byte, index uint64) string {
	return sized(name) + string([]byte{kind}) + string(uleb(index))
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
