package loader

import (
	"errors"
	"fmt"
)

// reader reads the binary format (5.1, 5.2). After an error every read returns
// zero, and err stays.
type reader struct {
	b   []byte
	at  int
	err error
}

func (r *reader) more() bool { return r.err == nil && r.at < len(r.b) }

func (r *reader) fail(problem string) {
	if r.err == nil {
		r.err = errors.New(problem)
	}
	r.at = len(r.b)
}

func (r *reader) failf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.fail("unexpected end")
		return 0
	}
	c := r.b[r.at]
	r.at++
	return c
}

// unsigned reads a LEB128 number of at most bits bits (5.2.2).
func (r *reader) unsigned(bits int) uint64 {
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

func (r *reader) u32() uint32 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 { // most numbers are small
		r.at++
		return uint32(r.b[r.at-1])
	}
	return uint32(r.unsigned(32))
}

// signed reads a signed LEB128 number of at most bits bits. That unused bits of
// the last byte repeat the sign is left to the engine's validation.
func (r *reader) signed(bits int) int64 {
	var n int64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		n |= int64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if c&0x40 != 0 && shift+7 < 64 {
			n |= -1 << (shift + 7)
		}
		return n
	}
	r.fail("number out of range")
	return 0
}

// block reads a length and that many bytes.
func (r *reader) block() []byte { return r.bytes(uint64(r.u32())) }

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)-r.at) {
		r.fail("length beyond the end")
		return nil
	}
	out := r.b[r.at : r.at+int(n)]
	r.at += int(n)
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

// atMost is each for a vector that is refused when it announces more than limit
// items, before any of them is read.
func (r *reader) atMost(limit uint32, what string, f func()) {
	ahead := *r
	if n := ahead.u32(); ahead.err == nil && n > limit {
		r.failf("the module has %d %s, at most %d are allowed; make it smaller", n, what, limit)
		return
	}
	r.each(f)
}

// valueType reads a value type of version 2.0 (5.3.4): one byte. The types of
// later proposals take more, and what follows them would be read askew.
func (r *reader) valueType() byte {
	t := r.byte()
	if r.err == nil && !isValueType(t) {
		r.failf("unknown value type 0x%02x; build it without garbage collection and typed references", t)
	}
	return t
}

// referenceType reads the type of a reference (5.3.3).
func (r *reader) referenceType() byte {
	t := r.valueType()
	if r.err == nil && t != funcref && t != externref {
		r.failf("0x%02x is no type of references", t)
	}
	return t
}

// valueTypes reads a vector of value types.
func (r *reader) valueTypes() (types []byte) {
	r.each(func() { types = append(types, r.valueType()) })
	return types
}

const (
	vectorType = 0x7b
	funcref    = 0x70
	externref  = 0x6f
)

func isValueType(t byte) bool {
	return t >= vectorType && t <= i32Type || t == funcref || t == externref
}
