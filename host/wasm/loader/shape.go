package loader

import (
	"fmt"
	"time"
)

// Bounds of what is compiled. Real programs stay far below them.
const (
	maxSignature = 1000    // parameters and results of one type
	maxFunctions = 200_000 // functions of a module
	maxLocals    = 10_000  // locals of a function, its parameters included

	// What costs the engine a multiple of the bytes it takes in the module.
	maxTypes    = 50_000
	maxTables   = 100
	maxGlobals  = 10_000
	maxMutable  = 1000 // globals of these that can change; a run's are put back one by one
	maxExports  = 10_000
	maxElements = 10_000  // element segments
	maxData     = 100_000 // data segments; the linker of Go writes up to that many

	maxFunctionTime = 5 * time.Second  // estimated compilation of one function
	maxModuleTime   = 30 * time.Second // and of all
)

// shape is what decides how long a function takes to compile.
type shape struct {
	blocks   int   // basic blocks
	depth    int   // of loops within loops
	arrivals int64 // ways to places that are reached from several
	values   int64 // operands that go along there, and values that calls pass or invalidate
	steps    int64 // basic blocks that the engine looks through at all arrivals, for each variable
	reads    int64 // and for instructions
}

// read counts an instruction. The engine looks for the variable that it reads
// in one basic block after the other, up to one that is reached from two places.
func (s *shape) read(f flow) { s.reads += int64(f.chain) }

// arrive counts a way to a place that is reached from several. What the variables
// hold has to be known at every arrival.
func (s *shape) arrive(f flow, width int) {
	s.arrivals++
	s.values += int64(width)
	s.steps += int64(f.chain)
}

// call counts what a call passes, and the globals that are read anew behind it,
// which cost less.
func (s *shape) call(d *decoder, signature uint32) {
	if int(signature) < len(d.signatures) {
		s.values += int64(d.signatures[signature].width() + d.mutable/8)
	}
}

// width is how many parameters or results there are, whichever are more.
func (s Signature) width() int { return max(len(s.Params), len(s.Results)) }

// estimate says how long the compiler takes at most for a function, on a machine
// of 2025. It was fitted to wazero 1.12, whose time grows with the square of the
// number of basic blocks, with the square of the values that loops within loops
// carry from one round to the next, and with what it looks up and passes on where
// branches meet: 40 loops over 1000 locals, in 9 KB of code, take 3.3 s, 2000
// br_if behind the definition of 400 locals, in 11 KB, 5 s, and 12,000 br_if 3 s.
// What real programs pass on is covered by the time for their bytes.
func (s shape) estimate(bytes int, variables uint64) time.Duration {
	carried := float64(s.depth) * float64(variables)
	blocks := float64(s.blocks)
	lookups := float64(s.steps)*float64(variables) + float64(s.reads)
	passed := max(0, float64(s.arrivals)*float64(variables)+float64(s.values)-float64(bytes))
	return time.Duration(2.1*carried*carried + 5*blocks*blocks + 8*lookups + 3000*passed + 300*float64(bytes))
}

// check refuses a function that would keep the compiler busy for too long, and
// returns the estimate of those that pass. Its variables are its locals and what
// can change of the module.
func (s shape) check(bytes int, locals, variables uint64) (time.Duration, error) {
	if locals > maxLocals {
		return 0, fmt.Errorf("%d locals, at most %d are allowed", locals, maxLocals)
	}
	took := s.estimate(bytes, variables)
	if took > maxFunctionTime {
		return 0, fmt.Errorf("%d bytes with %d basic blocks, loops nested %d deep and %d locals would take too long to compile; make the function smaller",
			bytes, s.blocks, s.depth, locals)
	}
	return took, nil
}
