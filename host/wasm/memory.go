package wasm

import "github.com/tetratelabs/wazero/experimental"

// guarded is the linear memory of one instance, which refuses to grow beyond a
// limit and remembers that it did. It is used by the one thread of its instance.
type guarded struct {
	limit   uint64
	buf     []byte
	refused bool
}

// Allocate implements experimental.MemoryAllocator.
func (g *guarded) Allocate(_, _ uint64) experimental.LinearMemory { return g }

// Reallocate implements experimental.LinearMemory. New bytes are zero.
func (g *guarded) Reallocate(size uint64) []byte {
	if size > g.limit {
		g.refused = true
		return nil
	}
	if size > uint64(cap(g.buf)) {
		grown := make([]byte, len(g.buf), g.room(size))
		copy(grown, g.buf)
		g.buf = grown
	}
	g.buf = g.buf[:size]
	return g.buf
}

// room is how much to take for size bytes: half as much again, since a program
// grows its memory in small steps right after its start, and each step beyond
// the room copies all of it.
func (g *guarded) room(size uint64) uint64 { return min(size+size/2, g.limit) }

// Free implements experimental.LinearMemory.
func (g *guarded) Free() { g.buf = nil }
