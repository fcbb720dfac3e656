package loader

// The instructions that the loader names.
const (
	opUnreachable   = 0x00
	opBlock         = 0x02
	opLoop          = 0x03
	opIf            = 0x04
	opElse          = 0x05
	opEnd           = 0x0b
	opBr            = 0x0c
	opCall          = 0x10
	opLocalGet      = 0x20
	opLocalSet      = 0x21
	opLocalTee      = 0x22
	opGlobalGet     = 0x23
	opGlobalSet     = 0x24
	opMemorySize    = 0x3f
	opI32Const      = 0x41
	opI64Const      = 0x42
	opI32GtU        = 0x4b
	opI32LeU        = 0x4d
	opI64LtS        = 0x53
	opI64GtU        = 0x56
	opI32Add        = 0x6a
	opI32Sub        = 0x6b
	opI32ShrU       = 0x76
	opI64Add        = 0x7c
	opI64Sub        = 0x7d
	opI64Shl        = 0x86
	opI32Or         = 0x72
	opI64ExtendI32U = 0xad
	opRefNull       = 0xd0
	opRefFunc       = 0xd2
	opBulk          = 0xfc
	opVector        = 0xfd

	bulkMemoryInit = 8
	bulkDataDrop   = 9
	bulkMemoryCopy = 10
	bulkMemoryFill = 11
)

// form says what follows an opcode and what the loader makes of it.
type form uint8

const (
	unknown       form = iota
	plain              // nothing follows
	leaving            // nothing follows, also in the program
	opening            // block type; opens a block
	looping            // block type; opens a loop
	closing            // end
	alternative        // else
	number             // one number that the engine checks: a table
	label              // br, br_if
	labels             // br_table
	calling            // function index
	indirect           // type index, table index
	selecting          // types
	nullReference      // type of references
	local              // local index
	global             // global index
	tableSet           // table index; changes a table
	memarg             // alignment, offset
	growing            // memory.grow
	const32            // signed number
	const64            // signed number
	four               // four bytes
	eight              // eight bytes
	bulk               // another opcode
	vector             // another opcode

	exception
	tailCall
	thread
)

// forms are the instructions of the core specification 2.0 (5.4), and the
// proposals that deserve to be refused by name.
var forms = coreForms()

func coreForms() (f [256]form) {
	set := func(from, to int, as form) {
		for op := from; op <= to; op++ {
			f[op] = as
		}
	}
	set(0x00, 0x00, leaving) // unreachable
	set(0x01, 0x01, plain)   // nop
	set(0x05, 0x05, alternative)
	set(0x06, 0x0a, exception)
	set(0x0c, 0x0d, label)   // br, br_if
	set(0x0f, 0x0f, leaving) // return
	set(0x12, 0x13, tailCall)
	set(0x18, 0x19, exception)
	set(0x1a, 0x1b, plain) // drop, select
	set(0x1f, 0x1f, exception)
	set(0x20, 0x22, local)  // local.get, .set, .tee
	set(0x23, 0x24, global) // global.get, .set
	set(0x28, 0x3e, memarg) // loads and stores
	set(0x45, 0xc4, plain)  // numeric
	for op, as := range map[int]form{
		opBlock: opening, opIf: opening, opLoop: looping, opEnd: closing, 0x0e: labels, opCall: calling, 0x11: indirect, 0x1c: selecting,
		0x25: number, 0x26: tableSet, opMemorySize: number, 0x40: growing, opI32Const: const32, opI64Const: const64, 0x43: four, 0x44: eight,
		opRefNull: nullReference, 0xd1: plain, opRefFunc: calling, opBulk: bulk, opVector: vector, 0xfe: thread,
	} {
		f[op] = as
	}
	return f
}

// bulkInstruction reads what follows 0xfc (5.4.4 to 5.4.7). It returns the
// instruction's cost.
func (s *scanner) bulkInstruction(from int) int64 {
	switch op := s.u32(); op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating truncations
		return 1
	case bulkMemoryInit:
		s.number()
		s.theMemory()
		s.usesSegments = true
		return callCost + int64(s.d.largestSegment/bytesUnit)
	case bulkDataDrop:
		s.number()
		s.usesSegments, s.stateful = true, true
		return 1
	case bulkMemoryCopy:
		s.theMemory()
		s.theMemory()
		s.replace(from, helperCopy)
		return callCost
	case bulkMemoryFill:
		s.theMemory()
		s.replace(from, helperFill)
		return callCost
	case 12, 14: // table.init, table.copy
		s.number()
		s.number()
		s.stateful = true
		return tableCost
	case 13: // elem.drop
		s.number()
		s.stateful = true
		return 1
	case 15, 17: // table.grow, table.fill
		s.number()
		s.stateful = true
		return tableCost
	case 16: // table.size
		s.number()
		return 1
	default:
		s.failf("unknown instruction 0xfc %d", op)
		return 0
	}
}

// theMemory reads what is the number of the memory elsewhere, and here a zero
// byte: the helpers know no other.
func (s *scanner) theMemory() {
	if s.byte() != 0 {
		s.fail("a memory access to another memory, or of an unknown kind")
	}
}

// vectorInstruction skips what follows 0xfd (5.4.8).
func (s *scanner) vectorInstruction() {
	switch op := s.u32(); {
	case op <= 11, op == 92, op == 93: // loads and stores
		s.memarg()
	case op == 12, op == 13: // v128.const, i8x16.shuffle
		s.bytes(16)
	case op >= 21 && op <= 34: // lanes
		s.byte()
	case op >= 84 && op <= 91: // loads and stores of lanes
		s.memarg()
		s.byte()
	case op > 255:
		s.failf("relaxed or unknown vector instruction 0xfd %d", op)
	}
}
