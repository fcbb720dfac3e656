package loader

// charge takes units from the fuel and yields when it is used up:
//
//	global.get $fuel  i64.const units  i64.sub  local.tee $t  global.set $fuel
//	local.get $t  i64.const 0  i64.lt_s  if  call $yield  end
//
// t is a local of type i64. The local saves the engine a load.
func (d *decoder) charge(out code, units int64, t uint32) code {
	out = out.globalGet(d.fuel()).i64(units)
	return d.take(out, t)
}

// chargeBytes charges for a copy whose length is in the local n, of type i32.
func (d *decoder) chargeBytes(out code, n, t uint32) code {
	out = out.globalGet(d.fuel()).
		localGet(n).i32(4).op(opI32ShrU, opI64ExtendI32U). // bytesUnit is 1<<4
		i64(2 * callCost).op(opI64Add)
	return d.take(out, t)
}

func (d *decoder) take(out code, t uint32) code {
	out = out.op(opI64Sub).localTee(t).globalSet(d.fuel())
	return out.localGet(t).i64(0).op(opI64LtS).
		op(opIf, noResult).call(d.yield()).op(opEnd)
}

const noResult = 0x40 // block type

// fuel is the index of the fuel counter, the last global.
func (d *decoder) fuel() uint32 { return uint32(len(d.globals)) }

// yield is the index of the imported yield, the last import.
func (d *decoder) yield() uint32 { return uint32(len(d.imported)) }

// The helpers, functions that are added behind all others. Their parameters
// are those of the instruction they stand for.
const (
	helperFill = iota
	helperCopy
	helpers // how many there are
)

// helper is the index of a helper.
func (d *decoder) helper(n uint32) uint32 { return uint32(len(d.functions)) + 1 + n }

// piece is how many bytes a helper writes between two looks at the fuel.
const piece = 256 << 10

// The locals of a helper: its parameters and the temporary of charge.
const (
	helperTo   = iota // where to write
	helperFrom        // where to read, or what to write
	helperN           // how many bytes
	helperFuel        // temporary
)

// encodeHelper writes memory.fill or memory.copy in pieces. Both trap before
// they write anything when a part lies outside (4.4.7), so the first thing is to
// let the original instruction trap. Overlapping copies begin at the end that
// is not overwritten.
func (d *decoder) encodeHelper(n uint32) code {
	out := code(nil).u32(1).u32(1).op(i64Type) // one local
	whole := func(out code) code { return d.bulkOp(out.localGet(helperTo).localGet(helperFrom).localGet(helperN), n) }

	out = outside(out, helperTo)
	if n == helperCopy {
		out = outside(out, helperFrom)
		out = out.op(opI32Or)
	}
	out = whole(out.op(opIf, noResult)).op(opEnd)

	out = out.op(opLoop, noResult).localGet(helperN).i32(piece).op(opI32GtU, opIf, noResult)
	out = d.charge(out, piece/bytesUnit, helperFuel)
	if n == helperFill {
		out = d.bulkOp(out.localGet(helperTo).localGet(helperFrom).i32(piece), n)
		out = advance(out, helperTo)
	} else {
		out = d.copyPiece(out)
	}
	out = out.localGet(helperN).i32(piece).op(opI32Sub).localSet(helperN)
	out = out.op(opBr).u32(1).op(opEnd, opEnd)

	out = d.chargeBytes(out, helperN, helperFuel)
	return whole(out).op(opEnd)
}

// outside leaves 1 if n bytes at the address in a local are not in the memory.
func outside(out code, at uint32) code {
	return out.localGet(at).op(opI64ExtendI32U).localGet(helperN).op(opI64ExtendI32U, opI64Add).
		op(opMemorySize, 0, opI64ExtendI32U).i64(16).op(opI64Shl, opI64GtU)
}

func advance(out code, at uint32) code {
	return out.localGet(at).i32(piece).op(opI32Add).localSet(at)
}

// copyPiece copies the first piece and moves on, or the last piece if the
// target lies behind the source.
func (d *decoder) copyPiece(out code) code {
	end := func(out code, at uint32) code {
		return out.localGet(at).localGet(helperN).op(opI32Add).i32(piece).op(opI32Sub)
	}
	out = out.localGet(helperTo).localGet(helperFrom).op(opI32LeU, opIf, noResult)
	out = d.bulkOp(out.localGet(helperTo).localGet(helperFrom).i32(piece), helperCopy)
	out = advance(advance(out, helperTo), helperFrom).op(opElse)
	out = end(end(out, helperTo), helperFrom)
	return d.bulkOp(out.i32(piece), helperCopy).op(opEnd)
}

func (d *decoder) bulkOp(out code, helper uint32) code {
	if helper == helperFill {
		return out.op(opBulk, bulkMemoryFill, 0)
	}
	return out.op(opBulk, bulkMemoryCopy, 0, 0)
}
