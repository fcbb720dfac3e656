package loader

// element is an element segment (5.5.12), encoded with the new indices of
// functions.
type element = code

// readElement reads an element segment. Bit 0 of its flags says that it is not
// active; bit 1 that it names a table or is declarative; bit 2 that it has
// expressions instead of indices.
func (d *decoder) readElement(r *reader) element {
	flags := r.u32()
	if flags > 7 {
		r.fail("unknown kind of element segment")
	}
	out := code(nil).u32(flags)
	if flags&1 == 0 {
		if flags&2 != 0 {
			out = out.u32(r.u32())
		}
		out = append(out, d.constant(r)...)
	}
	if flags&3 != 0 {
		out = out.op(readElementKind(r, flags))
	}
	count, items := uint32(0), code(nil)
	r.each(func() {
		count++
		if flags&4 != 0 {
			items = append(items, d.constant(r)...)
		} else {
			items = items.u32(d.moved(d.functionIndex(r)))
		}
	})
	return append(out.u32(count), items...)
}

// readElementKind reads what the elements are: functions by their index, or
// references of a type.
func readElementKind(r *reader, flags uint32) byte {
	if flags&4 != 0 {
		return r.referenceType()
	}
	kind := r.byte()
	if kind != 0 {
		r.fail("unknown kind of elements")
	}
	return kind
}

// segment is a data segment (5.5.14).
type segment struct {
	active bool
	Segment
}

// readSegment reads a data segment. The offset of an active one must be a
// constant: there are no imported globals that it could name.
func (d *decoder) readSegment(r *reader) segment {
	s := segment{}
	switch flags := r.u32(); flags {
	case 0, 2:
		if flags == 2 && r.u32() != 0 {
			r.fail("a data segment of another memory")
		}
		if r.byte() != opI32Const {
			r.fail("the offset of a data segment is no constant")
		}
		s.active, s.Offset = true, uint32(r.signed(32))
		if r.byte() != opEnd {
			r.fail("the offset of a data segment is no constant")
		}
	case 1:
	default:
		r.fail("unknown kind of data segment")
	}
	s.Bytes = r.block()
	return s
}

// encodeSegments writes the passive segments. Active ones leave an empty segment
// behind, which is what they are once they were applied (4.5.4).
func (d *decoder) encodeSegments() (items code) {
	for _, s := range d.segments {
		items = items.op(1)
		if s.active {
			items = items.op(0)
		} else {
			items = items.block(s.Bytes)
		}
	}
	return items
}

// constant reads a constant expression of one instruction (3.3.10) and returns
// it, encoded with the new indices of functions.
func (d *decoder) constant(r *reader) code {
	from := r.at
	out := code(nil)
	switch op := r.byte(); op {
	case opI32Const:
		r.signed(32)
	case opI64Const:
		r.signed(64)
	case 0x43: // f32.const
		r.bytes(4)
	case 0x44: // f64.const
		r.bytes(8)
	case opRefNull:
		r.referenceType()
	case opRefFunc:
		out = code{opRefFunc}.u32(d.moved(d.functionIndex(r)))
	case opVector:
		if r.u32() != 12 { // v128.const
			r.fail("unknown instruction in a constant expression")
		}
		r.bytes(16)
	default:
		r.failf("unknown instruction 0x%02x in a constant expression", op)
	}
	if out == nil {
		out = append(out, r.b[from:r.at]...)
	}
	if r.byte() != opEnd {
		r.fail("a constant expression of more than one instruction")
	}
	return out.op(opEnd)
}

// moved is the new index of a function: the import of the yield comes after
// the other imports and before all other functions.
func (d *decoder) moved(index uint32) uint32 {
	if int(index) >= len(d.imported) {
		return index + 1
	}
	return index
}
