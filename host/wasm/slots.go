package wasm

import (
	"context"
	"runtime"
	"sync/atomic"
)

// slots bound how many modules compute at once. A computing module holds its
// processor, which the Go scheduler cannot take away, so one processor is left
// to the rest of the server. Runs that wait for their turn get it in the order
// they came.
type slots struct {
	free    chan struct{}
	waiting atomic.Int32
}

func newSlots(n int) *slots {
	if n <= 0 {
		n = max(1, runtime.GOMAXPROCS(0)-1)
	}
	return &slots{free: make(chan struct{}, n)}
}

// take waits for a slot, or for ctx.
func (s *slots) take(ctx context.Context) error {
	select {
	case s.free <- struct{}{}:
		return nil
	default:
	}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	select {
	case s.free <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slots) give() { <-s.free }

// wanted tells whether somebody waits for a slot.
func (s *slots) wanted() bool { return s.waiting.Load() > 0 }
