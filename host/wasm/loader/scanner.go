package loader

import "time"

// What instructions cost, in units of about a nanosecond or less. They only have
// to be right enough that a slice of fuel is a short time in every program.
const (
	callCost  = 4
	growCost  = 64
	tableCost = 1 << 21 // as if a whole table of maxTable was written
	bytesUnit = 16      // bytes that cost one unit when they are copied
)

// edit is a place in a function body that changes.
type edit struct {
	at, end int // what is replaced
	kind    editKind
	n       uint32
}

type editKind uint8

const (
	editCallee editKind = iota // function n
	editHelper                 // call of helper n
	editCharge                 // charge of region n
)

// scanner walks through one function body (5.4) and finds what has to change.
type scanner struct {
	reader
	d *decoder

	start       int // of the instructions
	localCount  uint64
	edits       []edit
	regions     []region
	current     int     // region of the next instruction
	open        []frame // the blocks that are open, the function first
	flow        flow
	shape       shape
	total       time.Duration // estimated compilation of all functions so far
	usesHelpers bool

	usesSegments bool // memory.init or data.drop occur
	stateful     bool // tables are written or segments dropped
}

// region is a part of a function that is charged where it begins: the entry of
// the function, the header of a loop, or a place that a branch goes to. Control
// enters it there and nowhere else, and passes every instruction of it at
// most once.
type region struct {
	cost   int64
	header int // the loop or function that it is in; itself for those
	depth  int // of loops
}

// minCharge is the cost below which a region is charged by its header, whether
// it is passed or not. A charge of its own would be as dear as the region.
const minCharge = 8

// dear is the cost from which on an instruction begins a region of its own: a
// few of them in a row would be a long time. Such regions are charged with a look
// at what is left.
const dear = 4096

// scan reads the body from its first instruction.
func (s *scanner) scan() {
	s.start, s.shape, s.flow = s.at, shape{}, flow{}
	s.edits, s.regions, s.open = s.edits[:0], append(s.regions[:0], region{}), append(s.open[:0], frame{})
	s.current = 0
	for len(s.open) > 0 && s.err == nil {
		in, from := s.current, s.at
		cost := s.instruction()
		if cost > dear {
			s.halt(from)
			in = s.current
		}
		s.regions[in].cost += cost
	}
	s.fold()
	if s.err == nil && s.at < len(s.b) {
		s.fail("instructions after the end of a function")
	}
}

// instruction reads one instruction and returns its cost.
func (s *scanner) instruction() int64 {
	from := s.at
	op := s.byte()
	s.shape.read(s.flow)
	switch forms[op] {
	case plain:
	case leaving:
		s.flow.dead = true
	case local:
		s.bounded(s.localCount, "local")
	case global:
		s.bounded(uint64(len(s.d.globals)), "global")
	case memarg:
		s.memarg()
	case const32:
		s.signed(32)
	case const64:
		s.signed(64)
	case closing:
		s.close()
	case opening:
		s.block(s.open[len(s.open)-1].header, op)
	case looping:
		s.loop()
	case alternative:
		s.alternative()
	case calling:
		return s.callee()
	case indirect:
		t := s.d.typeIndex(&s.reader)
		s.number()
		s.shape.call(s.d, t)
		return callCost
	default:
		return s.rare(from, op)
	}
	return 1
}

// rare reads the instructions that compilers seldom write.
func (s *scanner) rare(from int, op byte) int64 {
	switch forms[op] {
	case number:
		s.number()
	case label:
		s.branch(op)
	case tableSet:
		s.number()
		s.stateful = true
	case labels:
		s.each(s.target)
		s.target()
		s.flow.dead = true
	case nullReference:
		s.referenceType()
	case selecting:
		s.valueTypes()
	case growing:
		s.number()
		return growCost
	case four:
		s.bytes(4)
	case eight:
		s.bytes(8)
	case bulk:
		return s.bulkInstruction(from)
	case vector:
		s.vectorInstruction()
	case exception:
		s.fail("the module uses exceptions; build it without")
	case tailCall:
		s.fail("the module uses tail calls; build it without")
	case thread:
		s.fail("the module uses threads; build it without")
	default:
		s.failf("unknown instruction 0x%02x", op)
	}
	return 1
}

func (s *scanner) number() { s.u32() }

func (s *scanner) bounded(n uint64, what string) {
	if i := s.u32(); uint64(i) >= n {
		s.failf("%s %d does not exist", what, i)
	}
}

// memarg reads an alignment and an offset (5.4.6). A larger number stands for
// another memory.
func (s *scanner) memarg() {
	if s.u32() > 4 {
		s.fail("a memory access to another memory, or of an unknown kind")
	}
	s.u32()
}

// block reads a block type (5.4.1) and opens a block.
func (s *scanner) block(header int, op byte) {
	s.enter(header, op, s.blockType())
}

// blockType reads nothing, a value type or the index of a function type. It
// returns how many operands a branch takes along at most.
func (s *scanner) blockType() int {
	if s.at < len(s.b) && s.b[s.at] == noResult {
		s.at++
		return 0
	}
	if s.at < len(s.b) && s.b[s.at]&0xc0 == 0x40 { // a negative number of one byte
		s.valueType()
		return 1
	}
	t := s.signed(33)
	if t < 0 || t >= int64(len(s.d.signatures)) {
		s.failf("type %d does not exist", t)
		return 0
	}
	return s.d.signatures[t].width()
}

// loop opens a loop, a region that is charged in its header: that is where
// every branch to it goes.
func (s *scanner) loop() {
	depth := s.regions[s.open[len(s.open)-1].header].depth + 1
	s.shape.depth = max(s.shape.depth, depth)
	own := len(s.regions)
	s.block(own, opLoop)
	s.begin(s.at, region{header: own, depth: depth})
}

// halt begins a region before an instruction that takes long.
func (s *scanner) halt(from int) {
	header := s.open[len(s.open)-1].header
	s.shape.blocks += ifBlocks
	s.shape.arrivals += 2
	s.begin(from, region{header: header, depth: s.regions[header].depth})
}

// join begins a region where a block ends, or the other branch of an if begins.
func (s *scanner) join() {
	header := s.open[len(s.open)-1].header
	s.begin(s.at, region{header: header, depth: s.regions[header].depth})
}

func (s *scanner) begin(at int, r region) {
	s.current = len(s.regions)
	s.regions = append(s.regions, r)
	s.edits = append(s.edits, edit{at: at, end: at, kind: editCharge, n: uint32(s.current)})
}

// fold lets headers pay for their small regions.
func (s *scanner) fold() {
	for i := range s.regions {
		r := &s.regions[i]
		if r.header != i && r.cost < minCharge {
			s.regions[r.header].cost += r.cost
			r.cost = 0
		}
	}
}

// callee reads the index of a function, which is going to move.
func (s *scanner) callee() int64 {
	at := s.at
	n := s.d.functionIndex(&s.reader)
	if s.err == nil {
		s.shape.call(s.d, s.d.functions[n])
	}
	s.edits = append(s.edits, edit{at: at, end: s.at, kind: editCallee, n: n})
	return callCost
}

// replace puts the call of a helper in the place of an instruction.
func (s *scanner) replace(from int, helper uint32) {
	s.usesHelpers = true
	s.edits = append(s.edits, edit{at: from, end: s.at, kind: editHelper, n: helper})
}
