package engine

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// completer writes the ends of attempts to the store. While one group is being
// written the next one gathers, so a busy node pays one commit for many and an
// idle one waits for nothing.
type completer struct {
	cfg    Config
	keeper *keeper
	done   <-chan core.Completion
	ended  func() // a gate may have opened, a retry or a dependent be waiting
	fault  func(part string, err error)
}

// run writes groups until the channel is closed and empty. When ctx ends, what
// the store has not taken is dropped: its leases expire and it runs again.
func (c *completer) run(ctx context.Context) {
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
func (c *completer) write(ctx context.Context, group []core.Completion) {
	for backoff := minBackoff; ctx.Err() == nil; backoff = min(2*backoff, maxBackoff) {
		finished, err := c.finish(ctx, group)
		if err == nil {
			c.announce(ctx, group, finished)
			return
		}
		c.fault("completer", err)
		pause(ctx, backoff)
	}
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
	log := c.cfg.Logger.With("task_id", e.TaskID, "execution_id", e.ID, "attempt", e.Attempt, "type", e.Type)
	if !e.Status.Final() && e.Error == nil {
		return // handed back or put off: no attempt has ended
	}
	if !e.Status.Final() {
		log.Info("attempt failed", "status", e.Status, "next_at", e.DueAt, "error_code", deref(e.ErrorCode), "error", deref(e.Error))
		c.cfg.Observer.Observe(core.Event{Kind: core.EventAttempt, At: now, Execution: e})
		return
	}
	log.Debug("execution finished", "status", e.Status, "error_code", deref(e.ErrorCode))
	c.cfg.Observer.Observe(core.Event{Kind: core.EventFinished, At: now, Execution: e})
	c.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalFinished, ExecutionID: e.ID})
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
