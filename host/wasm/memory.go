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

// Reallocate implements experimental.LinearMemory. New bytes are zero. Room is
// doubled, so that growing in small steps does not copy each time.
func (g *guarded) Reallocate(size uint64) []byte {
	if size > g.limit {
		g.refused = true
		return nil
	}
	if size > uint64(cap(g.buf)) {
		grown := make([]byte, len(g.buf), min(max(size, 2*uint64(cap(g.buf))), g.limit))
		copy(grown, g.buf)
		g.buf = grown
	}
	g.buf = g.buf[:size]
	return g.buf
}

// Free implements experimental.LinearMemory.
func (g *guarded) Free() { g.buf = nil }
