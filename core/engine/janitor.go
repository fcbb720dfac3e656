package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/robfig/cron/v3"

	"github.com/nexuscore/scheduler/core"
)

// janitor removes what is older than the retention, in bounded batches. One
// node at a time does it: the lease only saves the others the work.
type janitor struct {
	cfg   Config
	fault func(part string, err error)
}

const (
	pruneBatch   = 1000
	pruneBatches = 100 // a round; what is left waits for the next
)

// run prunes every Maintenance interval until ctx ends.
func (j *janitor) run(ctx context.Context) {
	rounds := cron.New(cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	rounds.Schedule(cron.Every(j.cfg.Maintenance), cron.FuncJob(func() {
		if err := j.round(ctx); err != nil && ctx.Err() == nil {
			j.fault("janitor", err)
		}
	}))
	rounds.Start()
	<-ctx.Done()
	<-rounds.Stop().Done()
}

// round is one cleaning.
func (j *janitor) round(ctx context.Context) error {
	lease, err := j.cfg.Locker.Acquire(ctx, "janitor", j.cfg.Owner, j.cfg.Maintenance)
	if _, held := errors.AsType[*core.LeaseHeldError](err); held {
		return nil
	}
	if err != nil {
		return fmt.Errorf("acquire lease: %w", err)
	}
	total := 0
	for range pruneBatches {
		n, err := j.cfg.Store.Prune(ctx, j.cfg.Retention, pruneBatch)
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		total += n
		if n < pruneBatch {
			break
		}
	}
	if total > 0 {
		j.cfg.Logger.Info("history pruned", "removed", total)
	}
	return j.cfg.Locker.Release(ctx, lease)
}
