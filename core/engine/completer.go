package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// completer writes the ends of attempts to the store. While one group is being
// written the next one gathers, so a busy node pays one commit for many and an
// idle one waits for nothing.
type completer struct {
	cfg     Config
	keeper  *keeper
	done    <-chan core.Completion
	ended   func() // a gate may have opened, a retry or a dependent be waiting
	fault   func(part string, err error)
	healed  func(part string)
	failing atomic.Bool // a fault was told, and no success since

	aside     chan struct{} // a token for each end that is set aside
	insisting sync.WaitGroup
}

// run writes groups until the channel is closed and empty. When ctx ends, what
// the store has not taken is dropped: its leases expire and it runs again.
func (c *completer) run(ctx context.Context) {
	defer c.insisting.Wait()
	for {
		group := c.gather(ctx)
		if len(group) == 0 {
			return
		}
		c.write(ctx, group)
	}
}

// gather waits for a completion and takes those that wait behind it. It returns
// none when the channel is closed or ctx ends.
func (c *completer) gather(ctx context.Context) []core.Completion {
	var group []core.Completion
	select {
	case <-ctx.Done():
		return nil
	case first, ok := <-c.done:
		if !ok {
			return nil
		}
		group = append(group, first)
	}
	for len(group) < c.cfg.Batch {
		select {
		case next, ok := <-c.done:
			if !ok {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// write stores a group, again and again while the store does not answer: the
// work is done and its result is worth waiting for. Tokens make the repetition
// harmless.
//
// Of a group that the store refuses each end is written by itself, and what it
// still refuses is set aside, so that it holds up no other.
func (c *completer) write(ctx context.Context, group []core.Completion) {
	for backoff := minBackoff; ctx.Err() == nil; backoff = min(2*backoff, maxBackoff) {
		err := c.try(ctx, group)
		if err == nil {
			return
		}
		if notTaken(err) {
			var refused []core.Completion
			refused, group = c.stubborn(ctx, group)
			for _, d := range refused {
				c.setAside(ctx, d)
			}
			if len(group) == 0 {
				return
			}
		}
		pause(ctx, backoff)
	}
}

// maxAside is how many ends that the store refuses may be set aside. Further ones
// hold up those behind them, since it is not about what they bring.
const maxAside = 16

func (c *completer) setAside(ctx context.Context, d core.Completion) {
	select {
	case c.aside <- struct{}{}:
	case <-ctx.Done():
		return
	}
	c.insisting.Go(func() {
		defer func() { <-c.aside }()
		c.insist(ctx, d)
	})
}

// insist writes an end that the store has refused, and after a while without what
// it brings.
func (c *completer) insist(ctx context.Context, d core.Completion) {
	refusals := 0
	for backoff := minBackoff; ctx.Err() == nil; backoff = min(2*backoff, maxBackoff) {
		pause(ctx, backoff)
		err := c.try(ctx, []core.Completion{d})
		if err == nil {
			return
		}
		if !notTaken(err) {
			continue
		}
		if refusals++; refusals >= maxRefusals && c.giveUp(ctx, d, err) {
			return
		}
	}
}

// maxRefusals is how often the store may refuse an end, within some six seconds,
// before it is written without what it brings.
const maxRefusals = 7

// notKept is how an attempt fails whose end the store refuses. Another one would
// most likely bring the same.
const notKept = "the attempt has ended, and the database cannot keep what it brought; the server's log has the reason"

// notTaken tells whether the store will not have this, whatever its own state.
func notTaken(err error) bool {
	return errors.Is(err, core.ErrRefused) || core.CodeOf(err) == core.CodeConflict
}

// try stores a group once.
func (c *completer) try(ctx context.Context, group []core.Completion) error {
	finished, err := c.finish(ctx, group)
	if err != nil {
		c.fault("completer", err)
		c.failing.Store(true) // after the fault: what is repeated tells of its success later
		return err
	}
	if c.failing.Swap(false) {
		c.healed("completer")
	}
	c.announce(ctx, group, finished)
	return nil
}

// stubborn stores each of a group that was refused by itself. It returns those that
// are refused again, and those that it has not come to when the store ceased to
// answer.
func (c *completer) stubborn(ctx context.Context, group []core.Completion) (refused, left []core.Completion) {
	if len(group) == 1 {
		return group, nil
	}
	for i := range group {
		err := c.try(ctx, group[i:i+1])
		switch {
		case err == nil:
		case notTaken(err):
			refused = append(refused, group[i])
		default:
			return refused, group[i:]
		}
	}
	return refused, nil
}

// giveUp ends an execution without the result, the log and the effects that the
// store refuses. It reports false when the store does not take that either: then
// it is not about them.
func (c *completer) giveUp(ctx context.Context, d core.Completion, reason error) bool {
	bare := core.Completion{Lease: d.Lease, Settle: func(now time.Time, e *core.Execution) {
		asked := *e
		d.Settle(now, &asked) // knows which plugin it was
		e.Fail(&core.Failure{Code: core.CodeResultRefused, Class: core.ClassPermanent, Message: notKept}, asked.Plugin, 0, now)
	}}
	if c.try(ctx, []core.Completion{bare}) != nil {
		return false
	}
	c.cfg.Logger.Error("result dropped: the store refuses it", "execution_id", d.ExecutionID, "error", reason)
	return true
}

func (c *completer) finish(ctx context.Context, group []core.Completion) ([]core.Finished, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.LeaseTTL)
	defer cancel()
	return c.cfg.Store.Finish(ctx, group)
}

func (c *completer) announce(ctx context.Context, group []core.Completion, finished []core.Finished) {
	now := c.cfg.Clock.Now()
	notify := false
	for i := range finished {
		c.keeper.remove(group[i].Lease)
		if !finished[i].Applied {
			c.cfg.Logger.Warn("result dropped: the lease was lost", "execution_id", group[i].ExecutionID)
			continue
		}
		c.announceOne(ctx, now, &finished[i].Execution)
		notify = notify || finished[i].Execution.Status == core.StatusSucceeded && group[i].Effects.Notify()
	}
	if notify { // another node may have the duty to deliver
		c.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalNotify})
	}
	c.ended()
}

func (c *completer) announceOne(ctx context.Context, now time.Time, e *core.Execution) {
	if !e.Status.Final() && e.Error == nil {
		return // handed back or put off: no attempt has ended
	}
	if !e.Status.Final() {
		c.log(e).Info("attempt failed", "status", e.Status, "next_at", e.DueAt, "error_code", deref(e.ErrorCode), "error", deref(e.Error))
		c.cfg.Observer.Observe(core.Event{Kind: core.EventAttempt, At: now, Execution: e})
		return
	}
	if c.cfg.Logger.IsDebug() {
		c.log(e).Debug("execution finished", "status", e.Status, "error_code", deref(e.ErrorCode))
	}
	c.cfg.Observer.Observe(core.Event{Kind: core.EventFinished, At: now, Execution: e})
	c.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalFinished, ExecutionID: e.ID})
}

func (c *completer) log(e *core.Execution) hclog.Logger {
	return c.cfg.Logger.With("task_id", e.TaskID, "execution_id", e.ID, "attempt", e.Attempt, "type", e.Type)
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
