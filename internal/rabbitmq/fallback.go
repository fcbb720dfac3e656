package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// FallbackConfig names the two queues of a Fallback.
type FallbackConfig struct {
	Primary core.Queue // of RabbitMQ. Required.
	Second  core.Queue // takes over, usually in process. Required.

	// Pause is how long the primary gets no items after it has failed. Defaults
	// to 2 s.
	Pause time.Duration
	// Logger hears about every change. Defaults to none.
	Logger hclog.Logger
	// Clock measures the pause. Defaults to the machine's.
	Clock core.Clock
}

// Fallback is a core.Queue that hands items to a second queue while the primary
// one fails, so that every node then starts what it finds in the store by
// itself. It tries the primary again after each pause. What was in the primary
// queue when it was lost is offered again by the store; what is in the second
// one when the primary comes back is still received here. An item may be in
// both, and the store decides who may run, so nothing is lost or doubled. It is
// safe for concurrent use.
type Fallback struct {
	cfg FallbackConfig

	mu     sync.Mutex
	reason error // why the second queue is in use, nil while the primary is
	since  time.Time
	until  time.Time // when the primary is tried again
}

// NewFallback returns a fallback that begins with the primary queue.
func NewFallback(cfg FallbackConfig) *Fallback {
	cfg.Pause = cmp.Or(cfg.Pause, 2*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Clock == nil {
		cfg.Clock = core.SystemClock{}
	}
	return &Fallback{cfg: cfg, since: cfg.Clock.Now()}
}

// FallbackState says which queue is in use.
type FallbackState struct {
	Degraded bool      // the second queue is in use
	Since    time.Time // of the last change, or the start
	Reason   error     // why the primary is not in use, for the log
}

// State returns which queue is in use.
func (f *Fallback) State() FallbackState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return FallbackState{Degraded: f.reason != nil, Since: f.since, Reason: f.reason}
}

// Publish offers items to the primary queue, and to the second when the primary
// fails. A primary that is full has not failed.
func (f *Fallback) Publish(ctx context.Context, items []core.QueueItem) error {
	if len(items) == 0 {
		return ctx.Err()
	}
	if !f.try() {
		return f.cfg.Second.Publish(ctx, items)
	}
	err := f.cfg.Primary.Publish(ctx, items)
	switch {
	case err == nil, core.CodeOf(err) == core.CodeRateLimited:
		f.report(nil)
		return err
	case ctx.Err() != nil:
		return err // the caller's doing: says nothing about the primary
	}
	f.report(err)
	return f.cfg.Second.Publish(ctx, items)
}

// Receive waits for items from either queue and returns what comes first; when
// both have some, both, so that it may be twice what was wanted.
func (f *Fallback) Receive(ctx context.Context, want int) (core.Delivery, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		delivery core.Delivery
		err      error
	}
	answers := make(chan answer, 2)
	for _, q := range []core.Queue{f.cfg.Primary, f.cfg.Second} {
		go func() {
			d, err := q.Receive(ctx, want)
			answers <- answer{d, err}
		}()
	}
	first := <-answers
	if first.err == nil {
		cancel() // the other one ends, or brings what it had in hand
	}
	second := <-answers
	switch {
	case first.err != nil && second.err != nil:
		return core.Delivery{}, first.err
	case first.err != nil:
		return second.delivery, nil
	case second.err != nil:
		return first.delivery, nil
	}
	return join(first.delivery, second.delivery), nil
}

// join makes one delivery of two.
func join(a, b core.Delivery) core.Delivery {
	return core.Delivery{Items: append(a.Items, b.Items...), Ack: func(ctx context.Context) error {
		return errors.Join(a.Ack(ctx), b.Ack(ctx))
	}}
}

// Depth counts what waits in both queues, and what fits into the one in use.
func (f *Fallback) Depth(ctx context.Context) (waiting, free int, err error) {
	waiting, free, err = f.cfg.Second.Depth(ctx)
	if err != nil || f.State().Degraded {
		return waiting, free, err
	}
	inPrimary, freeInPrimary, err := f.cfg.Primary.Depth(ctx)
	switch {
	case err == nil:
		return waiting + inPrimary, freeInPrimary, nil
	case ctx.Err() != nil:
		return 0, 0, err
	}
	f.report(err)
	return waiting, free, nil
}

// Close closes both queues. Closing again does nothing.
func (f *Fallback) Close() error {
	return errors.Join(f.cfg.Primary.Close(), f.cfg.Second.Close())
}

// try tells whether to offer items to the primary. While it fails, one caller
// each pause may.
func (f *Fallback) try() bool {
	now := f.cfg.Clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason == nil {
		return true
	}
	if now.Before(f.until) {
		return false
	}
	f.until = now.Add(f.cfg.Pause)
	return true
}

// report notes how the primary has answered.
func (f *Fallback) report(reason error) {
	now := f.cfg.Clock.Now()
	f.mu.Lock()
	changed := (f.reason == nil) != (reason == nil)
	if changed {
		f.since = now
	}
	f.reason, f.until = reason, now.Add(f.cfg.Pause)
	f.mu.Unlock()
	switch {
	case changed && reason != nil:
		f.cfg.Logger.Warn("rabbitmq fails: executions are queued in process", "error", reason)
	case changed:
		f.cfg.Logger.Info("rabbitmq works: executions are queued there again")
	}
}

var _ core.Queue = (*Fallback)(nil)
