package host

import (
	"context"
	"sync"
)

// runs counts what runs on one plugin, so that the plugin is closed when nothing
// does. It is safe for concurrent use.
type runs struct {
	// ended is cancelled, with errReplaced, to end the runs that are left.
	ended context.Context
	end   context.CancelCauseFunc

	mu     sync.Mutex
	active int
	closed bool
	idle   chan struct{} // closed once closed and active is 0
}

func newRuns() *runs {
	r := &runs{idle: make(chan struct{})}
	r.ended, r.end = context.WithCancelCause(context.Background())
	return r
}

// enter counts a run in, unless no more are taken.
func (r *runs) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.active++
	return true
}

func (r *runs) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active--
	r.settle()
}

// drain takes no more runs and waits for those that are left. When ctx ends it
// cancels them, which takes no longer than a second.
func (r *runs) drain(ctx context.Context) {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.settle()
	}
	r.mu.Unlock()
	select {
	case <-r.idle:
	case <-ctx.Done():
		r.end(errReplaced)
		<-r.idle
	}
	r.end(errReplaced)
}

func (r *runs) settle() {
	if r.closed && r.active == 0 {
		close(r.idle)
	}
}
