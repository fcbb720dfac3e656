package wasm

import (
	"fmt"
	"unsafe"

	"github.com/tetratelabs/wazero/api"
	"golang.org/x/sys/unix"
)

// neverGrown is a length from which on the engine lets no stack grow: it is
// beyond the 50,000,000 bytes at which the engine stops.
const neverGrown = 48 << 20

// stack is what the functions of one instance run on, one at a time. It does not
// grow and does not move, and a page costs memory once it was touched. Below it
// are addresses that nobody may touch.
type stack struct {
	reserved []byte
}

func newStack() (*stack, error) {
	at, err := unix.MmapPtr(-1, 0, nil, neverGrown, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve addresses for a module's stack: %w", err)
	}
	s := &stack{unsafe.Slice((*byte)(at), neverGrown)} //nolint:gosec // as many bytes were mapped there
	if err := unix.Mprotect(s.usable(), unix.PROT_READ|unix.PROT_WRITE); err != nil {
		s.free()
		return nil, fmt.Errorf("map a module's stack: %w", err)
	}
	return s, nil
}

func (s *stack) usable() []byte { return s.reserved[len(s.reserved)-int(maxStack):] }

// carry puts a function on the stack. It fails with errEngine, and the function
// keeps its own, when the engine is another than this was written for.
func (s *stack) carry(f api.Function) error {
	e, err := stackOf(f)
	if err != nil {
		return err
	}
	const alignment = 16
	last := uintptr(unsafe.Pointer(&s.reserved[len(s.reserved)-1])) //nolint:gosec // only its number
	*e.stack, *e.top, *e.bottom = s.reserved, last&^(alignment-1), &s.usable()[0]
	return nil
}

// relax gives the pages back. Nothing may run on the stack.
func (s *stack) relax() { _ = unix.Madvise(s.usable(), unix.MADV_DONTNEED) } // it only costs memory if this fails

// trim gives back what few runs touch. A deep run needs no time to fill many
// pages, and where there are none this costs next to nothing.
func (s *stack) trim() {
	_ = unix.Madvise(s.usable()[:maxStack-usual], unix.MADV_DONTNEED) // it only costs memory if this fails
}

func (s *stack) free() {
	if s.reserved != nil {
		_ = unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(s.reserved)), uintptr(len(s.reserved))) //nolint:gosec // it was mapped by newStack
		s.reserved = nil
	}
}
