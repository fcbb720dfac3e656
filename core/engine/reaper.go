package engine

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// reaper takes back executions whose worker has gone silent, and those that the
// queue has lost. Every node runs one; the store gives each to the first that
// asks.
type reaper struct {
	keeper *keeper
	cfg    Config
	ended  func()
}

// step takes back one batch.
func (r *reaper) step(ctx context.Context) (time.Duration, error) {
	// What runs here is alive, whatever the clock says: after a jump of the
	// store's clock all leases look expired.
	if _, err := r.keeper.step(ctx); err != nil {
		return 0, err
	}
	settle := func(now time.Time, e *core.Execution) { e.LoseLease(now) }
	reaped, err := r.cfg.Store.Reap(ctx, r.cfg.Batch, settle)
	if err != nil {
		return 0, err
	}
	for i := range reaped {
		r.announce(ctx, &reaped[i])
	}
	lost, err := r.offerAgain(ctx)
	if err != nil {
		return 0, err
	}
	if len(reaped)+lost > 0 {
		r.ended()
	}
	if len(reaped) == r.cfg.Batch || lost == r.cfg.Batch {
		return 0, nil
	}
	return r.cfg.LeaseTTL / 4, nil
}

// offerAgain takes back what was marked as queued and not started. How long that
// may last depends on what waits before it, but while nothing waits in the queue
// of this node's types it was lost: with the node that marked it, or with a
// queue that somebody deleted. What a busy node holds in hand is then offered
// to those that are not.
func (r *reaper) offerAgain(ctx context.Context) (int, error) {
	lost, err := r.cfg.Store.UnqueueStale(ctx, nil, r.cfg.Redeliver, r.cfg.Batch)
	if err != nil || lost == r.cfg.Batch {
		return lost, err
	}
	types := r.types()
	if waiting, _, err := r.cfg.Queue.Depth(ctx); err != nil || waiting > 0 || len(types) == 0 {
		return lost, nil //nolint:nilerr // a queue that is away is told of elsewhere
	}
	more, err := r.cfg.Store.UnqueueStale(ctx, types, min(r.cfg.LeaseTTL/2, r.cfg.Redeliver), r.cfg.Batch-lost)
	return lost + more, err
}

// types are those that this node can run, of which it sees the queue.
func (r *reaper) types() (types []string) {
	if r.cfg.Types == nil {
		return nil
	}
	for _, p := range r.cfg.Types.Plugins() {
		if p.LoadedAt != nil {
			types = append(types, p.Type)
		}
	}
	return types
}

func (r *reaper) announce(ctx context.Context, e *core.Execution) {
	r.cfg.Logger.Warn("lease expired", "task_id", e.TaskID, "execution_id", e.ID, "attempt", e.Attempt, "status", e.Status)
	r.cfg.Observer.Observe(core.Event{Kind: core.EventReaped, At: r.cfg.Clock.Now(), Execution: e})
	if e.Status.Final() {
		r.cfg.Observer.Observe(core.Event{Kind: core.EventFinished, At: r.cfg.Clock.Now(), Execution: e})
		r.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalFinished, ExecutionID: e.ID})
	}
}
