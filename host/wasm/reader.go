package wasm

import (
	"errors"
	"strings"

	"github.com/tetratelabs/wazero/api"
)

// reader reads WebAssembly's binary encoding. After an error every read
// returns zero and err stays.
type reader struct {
	b   []byte
	err error
}

func (r *reader) more() bool { return r.err == nil && len(r.b) > 0 }

func (r *reader) fail(problem string) {
	if r.err == nil {
		r.err = errors.New(problem)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("unexpected end")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// leb reads an unsigned number of at most bits bits.
func (r *reader) leb(bits int) uint64 {
	var n uint64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		if left := bits - shift; left < 7 && c>>left != 0 {
			break
		}
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	r.fail("number out of range")
	return 0
}

func (r *reader) u32() uint32 { return uint32(r.leb(32)) }

// block reads a length and that many bytes.
func (r *reader) block() []byte {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)) {
		r.fail("length beyond the end")
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) name() string { return string(r.block()) }

// each reads a count and calls f that many times, or until an error. What f
// reads takes at least a byte, so a false count ends at the end of the bytes.
func (r *reader) each(f func()) {
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		f()
	}
}

func (r *reader) signature() signature {
	if r.byte() != 0x60 {
		r.fail("only function types are supported")
		return signature{}
	}
	return signature{params: r.block(), results: r.block()}
}

func (r *reader) table() bounds {
	element := r.byte()
	if element != 0x70 && element != 0x6f {
		r.fail("unknown element type of a table")
	}
	t := r.bounds()
	t.element = element
	return t
}

func (r *reader) bounds() bounds {
	l := bounds{flags: r.byte()}
	bits := 32
	if l.flags&4 != 0 { // 64-bit memory or table
		bits = 64
	}
	l.min = r.leb(bits)
	if l.capped = l.flags&1 != 0; l.capped {
		l.max = r.leb(bits)
	}
	return l
}

// names renders value types for messages.
func names(types []api.ValueType) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = api.ValueTypeName(t)
	}
	return strings.Join(out, ", ")
}
