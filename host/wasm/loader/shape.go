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
	blocks int // blocks and loops
	depth  int // of loops within loops
}

// estimate says how long the compiler takes at most for a function, on a machine
// of 2025. It was fitted to wazero 1.12, whose time grows with the square of the
// number of blocks, and with the square of the values that loops within loops
// carry from one round to the next: 40 loops over 1000 locals, in 9 KB of code,
// take 3.3 s.
func (s shape) estimate(bytes int, locals uint64) time.Duration {
	carried := float64(s.depth) * float64(locals)
	blocks := float64(s.blocks)
	return time.Duration(2.1*carried*carried + 30*blocks*blocks + 300*float64(bytes))
}

// check refuses a function that would keep the compiler busy for too long, and
// returns the estimate of those that pass.
func (s shape) check(bytes int, locals uint64) (time.Duration, error) {
	if locals > maxLocals {
		return 0, fmt.Errorf("%d locals, at most %d are allowed", locals, maxLocals)
	}
	took := s.estimate(bytes, locals)
	if took > maxFunctionTime {
		return 0, fmt.Errorf("%d bytes with %d blocks, loops nested %d deep and %d locals would take too long to compile; make the function smaller",
			bytes, s.blocks, s.depth, locals)
	}
	return took, nil
}
