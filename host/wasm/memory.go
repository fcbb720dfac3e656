package wasm

import "github.com/tetratelabs/wazero/experimental"

// pageSize is the unit of linear memory.
const pageSize = 64 << 10

// bounds are the bounds of a linear memory in bytes. They remember that the
// limit was met: a program that was refused memory mostly ends by a trap, and
// the trap does not say why.
type bounds struct {
	limit   uint64 // limits.memory
	maximum uint64 // the module's own
	refused bool   // for the limit
}

func (b *bounds) refuse(size uint64) bool {
	if size > b.limit {
		b.refused = true
	}
	return size > min(b.limit, b.maximum)
}

// given hands a space to the engine, which asks for memory by this interface.
type given struct {
	space *space
}

// Allocate implements experimental.MemoryAllocator.
func (g given) Allocate(_, _ uint64) experimental.LinearMemory { return g.space }

var _ experimental.LinearMemory = (*space)(nil)
