package simulation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// What a caller sees of a fault.
var (
	errUnreached = errors.New("simulated: the call failed before it happened")
	errUnheard   = errors.New("simulated: the answer was lost")
	errDead      = errors.New("simulated: the node is dead")
)

// link is the way of one actor to the store and the queue.
type link struct {
	w        *world
	name     string
	dead     atomic.Bool
	cutUntil atomic.Int64
}

func newLink(w *world, name string) *link { return &link{w: w, name: name} }

// fate is what happens to one call.
type fate struct {
	before, after time.Duration // on its way, and its answer's
	fails         bool          // does not happen
	late          time.Duration // happens so long after the caller has given up
	lost          bool          // happens, but the answer is lost
}

// longest is longer than any call is on its way, and any plugin is deaf.
const longest = 45 * time.Second

// fateOf draws. Even without faults no two calls arrive at the same instant.
func (l *link) fateOf(call string) fate {
	d := l.w.source.of(l.name + " " + call)
	f := fate{before: d.between(0, time.Millisecond), after: d.between(0, time.Millisecond)}
	if l.w.calm.Load() {
		return f
	}
	switch n := int(float64(d.below(1000)) / l.w.rough); {
	case n < 20:
		f.fails = true
	case n < 40:
		f.lost = true
	case n < 50:
		f.late = d.between(0, 30*time.Second)
	case n < 70:
		f.before = d.between(0, 4*time.Second)
	case n < 90:
		f.after = d.between(0, 4*time.Second)
	case n < 94:
		f.after = d.between(0, 30*time.Second)
	}
	return f
}

// unlucky is true with about this probability, until faults end.
func (l *link) unlucky(what string, p float64) bool {
	return !l.w.calm.Load() && l.w.source.of(l.name+" "+what).chance(p*l.w.rough)
}

// travel takes a while. A node that is cut off waits for the end of that.
func (l *link) travel(ctx context.Context, d time.Duration) error {
	if l.dead.Load() {
		return errDead
	}
	if cut := time.Until(time.Unix(0, l.cutUntil.Load())); cut > 0 && !l.w.calm.Load() {
		if l.unlucky("cut", 0.5) {
			return errUnreached
		}
		d += cut
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.dead.Load() {
		return errDead
	}
	return nil
}

// call brings a call to the store and its answer back, or does not.
func call[T any](ctx context.Context, l *link, name string, do func(context.Context) (T, error)) (T, error) {
	var none T
	l.w.steps.Add(1)
	f := l.fateOf(name)
	if err := l.travel(ctx, f.before); err != nil {
		return none, fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case f.fails:
		return none, fmt.Errorf("%s: %w", name, errUnreached)
	case f.late > 0:
		go func() {
			time.Sleep(f.late)
			l.w.trace.note("%s: a %s arrives %s late", l.name, name, f.late)
			_, _ = do(context.WithoutCancel(ctx))
		}()
		return none, fmt.Errorf("%s: %w", name, errUnheard)
	}
	v, err := do(ctx)
	if lost := l.travel(ctx, f.after); lost != nil {
		return none, fmt.Errorf("%s: %w", name, lost)
	}
	if f.lost {
		l.w.trace.note("%s: the answer to its %s is lost", l.name, name)
		return none, fmt.Errorf("%s: %w", name, errUnheard)
	}
	return v, err
}

// tell is call for what has no answer.
func tell(ctx context.Context, l *link, name string, do func(context.Context) error) error {
	_, err := call(ctx, l, name, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

// carrier is the queue behind a link: it loses items, doubles and delays them.
type carrier struct {
	core.Queue
	link *link
}

// Publish offers items, not always all and not always once.
func (c carrier) Publish(ctx context.Context, items []core.QueueItem) error {
	var kept []core.QueueItem
	for _, item := range items {
		switch {
		case c.link.unlucky("drop", 0.03):
			c.link.w.trace.note("%s: the queue loses %s", c.link.name, short(item.ExecutionID))
		case c.link.unlucky("delay", 0.03):
			c.later(item)
		default:
			kept = append(kept, item)
		}
		if c.link.unlucky("double", 0.03) {
			c.later(item)
		}
	}
	return tell(ctx, c.link, "publish", func(ctx context.Context) error {
		if len(kept) == 0 {
			return nil
		}
		return c.Queue.Publish(ctx, kept)
	})
}

func (c carrier) later(item core.QueueItem) {
	time.AfterFunc(c.link.w.source.of(c.link.name+" later").between(0, 90*time.Second), func() {
		_ = c.Queue.Publish(bg(), []core.QueueItem{item})
	})
}

// Receive hands items out; some bundles never arrive, some items are there twice.
func (c carrier) Receive(ctx context.Context, want int) (core.Delivery, error) {
	delivery, err := c.Queue.Receive(ctx, want)
	if err != nil {
		return delivery, err
	}
	if c.link.dead.Load() || c.link.unlucky("receive", 0.03) {
		return core.Delivery{}, errUnheard // not acknowledged: they come again
	}
	if c.link.unlucky("twice", 0.05) {
		delivery.Items = append(delivery.Items, delivery.Items...)
	}
	if c.link.unlucky("ack", 0.05) {
		delivery.Ack = func(context.Context) error { return errUnreached }
	}
	return delivery, nil
}

// meter is the limiter behind a link.
type meter struct {
	core.Limiter
	link *link
}

// Take asks the limiter.
func (m meter) Take(ctx context.Context, r []core.LimitRequest) ([]core.LimitDecision, error) {
	return call(ctx, m.link, "limit", func(ctx context.Context) ([]core.LimitDecision, error) { return m.Limiter.Take(ctx, r) })
}
