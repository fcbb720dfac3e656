package sdktest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errTimedOut is how a run fails that has come to its deadline.
var errTimedOut = errors.New("sdktest: the run is out of time")

// end is the handler's context: it ends when the case's clock, not the machine's,
// comes to the deadline. It is safe for concurrent use.
type end struct {
	context.Context
	at time.Time // zero: never

	once sync.Once
	done chan struct{}
}

// newEnd makes the context of a run that begins at a time.
func newEnd(ctx context.Context, deadline, now time.Time) *end {
	e := &end{Context: ctx, at: deadline, done: make(chan struct{})}
	if !deadline.IsZero() && !now.Before(deadline) {
		e.come()
	}
	return e
}

// come ends the run.
func (e *end) come() { e.once.Do(func() { close(e.done) }) }

// Deadline implements context.Context.
func (e *end) Deadline() (time.Time, bool) { return e.at, !e.at.IsZero() }

// Done implements context.Context.
func (e *end) Done() <-chan struct{} { return e.done }

// Err implements context.Context.
func (e *end) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
