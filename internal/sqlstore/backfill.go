package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// PlanBackfill implements core.BackfillStore. The task's row is locked, so that
// neither the planner nor another backfill plans the same times.
func (s *Store) PlanBackfill(ctx context.Context, taskID string, from, to time.Time, key *core.Idempotency,
	decide func(now time.Time, d core.BackfillTask) (core.BackfillPlan, error),
) ([]string, error) {
	var running []string
	var replayed bool
	err := s.write(ctx, "plan backfill", func(ctx context.Context, c conn) (err error) {
		running = nil
		if _, replayed, err = replay(ctx, c, key, c.task); err != nil {
			return err
		}
		t, err := c.lockTask(ctx, taskID)
		if err != nil {
			return err
		}
		d := core.BackfillTask{Task: t}
		if d.Occurred, err = c.occurred(ctx, t.ID, from, to); err != nil {
			return err
		}
		active, err := c.active(ctx, []string{t.ID})
		if err != nil {
			return err
		}
		d.Active = active[t.ID]
		plan, err := decide(c.now, d)
		if err != nil || replayed {
			return err
		}
		running, err = c.backfill(ctx, t, plan)
		if err != nil {
			return err
		}
		return c.keepKey(ctx, key, t.ID)
	})
	if err == nil && replayed {
		err = core.ErrReplayed
	}
	return running, err
}

// backfill applies a plan.
func (c conn) backfill(ctx context.Context, t core.Task, p core.BackfillPlan) (running []string, err error) {
	if p.CancelPrevious {
		if _, running, err = c.cancelLive(ctx, []string{t.ID}, replacedReason); err != nil {
			return nil, err
		}
	}
	if _, err := c.insertPlanned(ctx, []decision{{task: t, plan: core.Plan{Executions: p.Executions}}}); err != nil {
		return nil, err
	}
	_, err = c.exec(ctx, `
		UPDATE tasks SET next_run = ?, next_nominal = ?, last_nominal = ?, runs = ?, since = ? WHERE id = ?`,
		stampOf(p.NextRun), stampOf(p.State.NextNominal), stampOf(p.State.LastNominal), p.State.Runs, stampOf(p.State.Since), t.ID)
	return running, err
}
