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
	lost, err := r.cfg.Store.UnqueueStale(ctx, r.cfg.Redeliver, r.cfg.Batch)
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

func (r *reaper) announce(ctx context.Context, e *core.Execution) {
	r.cfg.Logger.Warn("lease expired", "task_id", e.TaskID, "execution_id", e.ID, "attempt", e.Attempt, "status", e.Status)
	r.cfg.Observer.Observe(core.Event{Kind: core.EventReaped, At: r.cfg.Clock.Now(), Execution: e})
	if e.Status.Final() {
		r.cfg.Observer.Observe(core.Event{Kind: core.EventFinished, At: r.cfg.Clock.Now(), Execution: e})
		r.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalFinished, ExecutionID: e.ID})
	}
}
