package loader

import "encoding/binary"

// code is a piece of a module that is being written.
type code []byte

func (c code) op(ops ...byte) code { return append(c, ops...) }

func (c code) u32(n uint32) code { return binary.AppendUvarint(c, uint64(n)) }

func (c code) u64(n uint64) code { return binary.AppendUvarint(c, n) }

func (c code) signed(n int64) code {
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(c, b)
		}
		c = append(c, b|0x80)
	}
}

func (c code) name(s string) code { return append(c.u32(uint32(len(s))), s...) }

func (c code) block(b []byte) code { return append(c.u32(uint32(len(b))), b...) }

// section writes a section (5.5.2), unless it is empty.
func (c code) section(id byte, count uint32, items []byte) code {
	if count == 0 {
		return c
	}
	body := code(nil).u32(count)
	c = append(c, id).u32(uint32(len(body) + len(items)))
	return append(append(c, body...), items...)
}

// The instructions that the loader writes (5.4).
func (c code) localGet(n uint32) code  { return c.op(opLocalGet).u32(n) }
func (c code) localSet(n uint32) code  { return c.op(opLocalSet).u32(n) }
func (c code) localTee(n uint32) code  { return c.op(opLocalTee).u32(n) }
func (c code) globalGet(n uint32) code { return c.op(opGlobalGet).u32(n) }
func (c code) globalSet(n uint32) code { return c.op(opGlobalSet).u32(n) }
func (c code) call(n uint32) code      { return c.op(opCall).u32(n) }
func (c code) i32(n int32) code        { return c.op(opI32Const).signed(int64(n)) }
func (c code) i64(n int64) code        { return c.op(opI64Const).signed(n) }
