package loader_test

import (
	"math/rand/v2"

	"github.com/tetratelabs/wazero/api"
)

// program is a small module that is written at random: functions over i32 with
// locals, globals, memory, loops that end, branches, calls and copies.
type program struct {
	random *rand.Rand
	body   []byte
	depth  int // open blocks
	budget int // instructions left to write
	self   int // index of the function that is being written
}

// The module that a program has: globals and functions of these numbers.
const (
	programFunctions = 4
	programGlobals   = 2
	programLocals    = 4 // of a function: its parameter and three more
	counterLocal     = programLocals
)

// generate writes a module from a seed. It exports its functions as f0, f1, …,
// each (i32) -> (i32), its memory and its globals.
func generate(seed uint64) []byte {
	p := &program{random: rand.New(rand.NewPCG(seed, 1))}
	m := newModule()
	m.types = []string{"\x60\x01\x7f\x01\x7f"}
	m.memory = "\x00\x01"
	for i := range programGlobals {
		m.globals = append(m.globals, "\x7f\x01\x41\x07\x0b")
		m.exports = append(m.exports, export("g"+string(rune('0'+i)), 3, uint64(i)))
	}
	m.exports = append(m.exports, export("memory", 2, 0))
	for i := range programFunctions {
		m.functions = append(m.functions, "\x00")
		m.bodies = append(m.bodies, p.function(i))
		m.exports = append(m.exports, export("f"+string(rune('0'+i)), 0, uint64(i)))
	}
	m.data = []string{"\x00\x41\x10\x0b\x05hello"}
	return m.bytes()
}

// function writes a function with three locals and a counter for each depth of
// loops.
func (p *program) function(self int) string {
	p.body, p.depth, p.budget, p.self = nil, 0, 60, self
	p.statements()
	p.value(3)
	const counters = 8
	return sized("\x01" + string(uleb(programLocals-1+counters)) + "\x7f" + string(p.body) + "\x0b")
}

func (p *program) put(b ...byte) { p.body = append(p.body, b...) }

func (p *program) statements() {
	for n := 1 + p.random.IntN(5); n > 0 && p.budget > 0; n-- {
		p.statement()
	}
}

func (p *program) statement() {
	p.budget--
	switch k := p.random.IntN(9); {
	case k == 0 && p.depth < 4:
		p.loop()
	case k == 1 && p.depth < 4:
		p.block()
	case k == 2 && p.depth < 4:
		p.choice()
	case k == 3:
		p.bulk()
	case k == 4: // a store
		p.address()
		p.value(2)
		p.put(0x36, 2, 0)
	case k == 5 && p.depth > 0: // br_if out of a block; to a loop it would not end
		p.value(1)
		p.put(0x1a)
	case k == 6:
		p.value(2)
		p.put(0x24, byte(p.random.IntN(programGlobals)))
	default:
		p.value(3)
		p.put(0x21, byte(p.random.IntN(programLocals)))
	}
}

// loop runs up to fifteen times.
func (p *program) loop() {
	counter := byte(counterLocal + p.depth)
	p.put(0x41, byte(p.random.IntN(16)), 0x21, counter, 0x03, 0x40)
	p.depth++
	p.statements()
	p.depth--
	p.put(0x20, counter, 0x41, 1, 0x6b, 0x22, counter, 0x41, 0, 0x4a, 0x0d, 0, 0x0b)
}

// block is left early by some.
func (p *program) block() {
	p.put(0x02, 0x40)
	p.depth++
	p.statements()
	p.value(1)
	p.put(0x0d, 0) // br_if
	p.statements()
	p.depth--
	p.put(0x0b)
}

func (p *program) choice() {
	p.value(2)
	p.put(0x04, 0x40)
	p.depth++
	p.statements()
	p.put(0x05)
	p.statements()
	p.depth--
	p.put(0x0b)
}

// bulk copies or fills, now and then beyond the end and in several pieces.
func (p *program) bulk() {
	p.address()
	p.address()
	if p.random.IntN(8) == 0 {
		p.put(0x41)
		p.put(sleb(int64(p.random.IntN(1 << 20)))...)
	} else {
		p.value(1)
		p.put(0x41, 63, 0x71)
	}
	if p.random.IntN(2) == 0 {
		p.put(0xfc, 10, 0, 0)
	} else {
		p.put(0xfc, 11, 0)
	}
}

// address is mostly in the first page.
func (p *program) address() {
	p.value(1)
	if p.random.IntN(16) > 0 {
		p.put(0x41)
		p.put(sleb(0x7fff)...)
		p.put(0x71)
	}
}

// value leaves an i32.
func (p *program) value(depth int) {
	p.budget--
	k := p.random.IntN(10)
	if depth == 0 || p.budget < 0 {
		k %= 3
	}
	switch k {
	case 0:
		p.put(0x41)
		p.put(sleb(int64(int32(p.random.Uint32() >> p.random.IntN(32))))...)
	case 1:
		p.put(0x20, byte(p.random.IntN(programLocals)))
	case 2:
		p.put(0x23, byte(p.random.IntN(programGlobals)))
	case 3: // a call of a function further on: no recursion
		p.value(depth - 1)
		if p.self+1 < programFunctions {
			p.put(0x10, byte(p.self+1+p.random.IntN(programFunctions-p.self-1)))
		}
	case 4: // a load
		p.address()
		p.put(0x28, 2, 0)
	case 5: // memory.grow or memory.size
		if p.random.IntN(4) == 0 {
			p.put(0x41, 1, 0x40, 0)
		} else {
			p.put(0x3f, 0)
		}
	case 6: // if with a result
		p.value(depth - 1)
		p.put(0x04, api.ValueTypeI32)
		p.value(depth - 1)
		p.put(0x05)
		p.value(depth - 1)
		p.put(0x0b)
	default: // add, sub, mul, div_s, div_u, rem_s, rem_u, and, or, xor, shl, shr_s
		p.value(depth - 1)
		p.value(depth - 1)
		p.put(byte(0x6a + p.random.IntN(12)))
	}
}
