package loader

// flow is where the scanner stands in the graph of basic blocks that the engine
// makes of a function.
type flow struct {
	chain int  // basic blocks since the last that is reached from two places
	dead  bool // no control gets here
}

// frame is a block that is open.
type frame struct {
	header   int  // the loop or function that it is in; itself for those
	op       byte // opBlock, opLoop or opIf; opElse from there on
	entered  flow
	width    int // operands that branches to it take along
	arrivals int // ways to its end so far
	longest  int // chain of these
}

// The basic blocks that the engine makes of an instruction, those of the charge
// in a loop and those that a branch to a shared place takes on its way included.
const (
	blockBlocks  = 1
	ifBlocks     = 4
	loopBlocks   = 6
	branchBlocks = 2
)

// enter opens a block.
func (s *scanner) enter(header int, op byte, width int) {
	s.open = append(s.open, frame{header: header, op: op, width: width, entered: s.flow})
	switch op {
	case opIf:
		s.shape.blocks += ifBlocks
		s.flow.chain++
	case opLoop:
		s.shape.blocks += loopBlocks
		s.flow.chain = 0
	default:
		s.shape.blocks += blockBlocks
	}
}

// close ends the innermost block.
func (s *scanner) close() {
	top := len(s.open) - 1
	f := &s.open[top]
	s.arrive(f)
	if f.op == opIf { // what an else that is not there would do
		s.flow = f.entered
		s.flow.chain++
		s.arrive(f)
	}
	s.flow = f.after()
	if s.open = s.open[:top]; top > 0 {
		s.join()
	}
}

// alternative begins the other branch of an if.
func (s *scanner) alternative() {
	f := &s.open[len(s.open)-1]
	s.arrive(f)
	f.op, s.flow = opElse, f.entered
	s.flow.chain++
	s.join()
}

// arrive takes a way from here to the end of a block.
func (s *scanner) arrive(f *frame) {
	if s.flow.dead {
		return
	}
	f.arrivals++
	f.longest = max(f.longest, s.flow.chain)
	s.shape.arrive(s.flow, f.width)
}

// after is the flow behind a block. Where only one way leads, the chain goes on.
func (f *frame) after() flow {
	switch {
	case f.entered.dead || f.arrivals == 0:
		return flow{dead: true}
	case f.arrivals == 1:
		return flow{chain: f.longest + 1}
	}
	return flow{}
}

// target reads a label that control may go to. The blocks that a table needs for
// its targets are cheap: nothing lies behind them. A branch to a loop comes to its
// beginning, which is reached from two places already.
func (s *scanner) target() {
	n := s.u32()
	if uint64(n) >= uint64(len(s.open)) {
		s.failf("label %d does not exist", n)
		return
	}
	f := &s.open[len(s.open)-1-int(n)]
	if f.op == opLoop {
		f = &frame{width: f.width}
	}
	s.arrive(f)
}

// branch reads a br or br_if.
func (s *scanner) branch(op byte) {
	s.target()
	s.shape.blocks += branchBlocks
	if op == opBr {
		s.flow.dead = true
	} else {
		s.flow.chain++
	}
}
