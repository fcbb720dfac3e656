package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// step does one round of a duty and says when the next one is wanted: 0 is at
// once, negative is "no reason to".
type step func(ctx context.Context) (wait time.Duration, err error)

// loop repeats a step: when it asks for it, when somebody wakes it, and at the
// latest after idle.
type loop struct {
	part   string
	step   step
	idle   time.Duration
	limit  time.Duration
	fault  func(part string, err error)
	healed func(part string) // called after the first round that does not fail again
	bell   chan struct{}
	last   func() // called when the loop ends
}

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// stepTime bounds one round of a duty.
const stepTime = 30 * time.Second

func (e *Engine) newLoop(part string, idle time.Duration, s step) *loop {
	return &loop{part: part, step: s, idle: idle, limit: stepTime, fault: e.fault, healed: e.healed, bell: make(chan struct{}, 1), last: func() {}}
}

// wake asks for a round now. Calls that come before the round begins count once.
func (l *loop) wake() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

// run repeats the step until ctx ends. A failed round is reported and repeated
// with growing pauses; a wake does not shorten those, so that a busy API cannot
// turn a broken store into a storm.
func (l *loop) run(ctx context.Context) {
	defer l.last()
	backoff := minBackoff
	for ctx.Err() == nil {
		wait, err := l.round(ctx)
		if err != nil {
			if ctx.Err() == nil {
				l.fault(l.part, err)
				pause(ctx, backoff+rand.N(backoff/2))
				backoff = min(2*backoff, maxBackoff)
			}
			continue
		}
		if backoff != minBackoff {
			l.healed(l.part)
			backoff = minBackoff
		}
		if wait != 0 {
			l.await(ctx, wait)
		}
	}
}

// round does one step, for no longer than limit: a store that hangs must show
// as one that fails.
func (l *loop) round(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	return l.step(ctx)
}

func (l *loop) await(ctx context.Context, wait time.Duration) {
	if wait < 0 || wait > l.idle {
		wait = l.idle
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-l.bell:
	}
}

// pause sleeps for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
