package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/nexuscore/scheduler/core"
)

// Cancel implements core.ExecutionStore. An execution that has ended already is
// a CONFLICT.
func (s *Store) Cancel(ctx context.Context, req core.Cancellation) (core.CancelReport, error) {
	var report core.CancelReport
	err := s.write(ctx, "cancel", func(ctx context.Context, c conn) error {
		err := c.holdShared(ctx, judging)
		if err != nil {
			return err
		}
		if req.ExecutionID != "" {
			report, err = c.cancelExecution(ctx, req.ExecutionID, req.Reason)
		} else {
			report, err = c.cancelTask(ctx, req.TaskID, req.Reason)
		}
		return err
	})
	if err != nil {
		return core.CancelReport{}, err
	}
	return report, nil
}

func (c conn) cancelExecution(ctx context.Context, id, reason string) (core.CancelReport, error) {
	var row executionRow
	err := c.get(ctx, &row, `SELECT `+executionColumns+` FROM executions WHERE id = ?`+c.dialect.lock, id)
	if errors.Is(err, sql.ErrNoRows) {
		e, err := c.execution(ctx, id)
		if err != nil {
			return core.CancelReport{}, err
		}
		return core.CancelReport{}, core.Errorf(core.CodeConflict, "execution %s has ended already: it is %s", id, e.Status)
	}
	if err != nil {
		return core.CancelReport{}, err
	}
	e, err := row.execution()
	if err != nil {
		return core.CancelReport{}, err
	}
	if e.Status == core.StatusRunning {
		_, err := c.exec(ctx, `UPDATE executions SET cancel_requested = `+c.dialect.yes+` WHERE id = ?`, id)
		return core.CancelReport{Running: []string{id}}, err
	}
	e.Cancel(reason, c.now)
	cancelled := []core.Execution{e}
	if err := c.save(ctx, cancelled); err != nil {
		return core.CancelReport{}, err
	}
	return core.CancelReport{Cancelled: cancelled}, c.follow(ctx, cancelled)
}

func (c conn) cancelTask(ctx context.Context, id, reason string) (core.CancelReport, error) {
	if err := c.lockLiveOf(ctx, id); err != nil {
		return core.CancelReport{}, err
	}
	t, err := c.lockTask(ctx, id)
	if err != nil {
		return core.CancelReport{}, err
	}
	var report core.CancelReport
	if report.Cancelled, report.Running, err = c.cancelLive(ctx, []string{id}, reason); err != nil {
		return core.CancelReport{}, err
	}
	// Its one occurrence is not planned: there is nothing to cancel yet, and
	// later there would be.
	if t.ScheduleType == core.ScheduleOnce && t.Enabled && t.NextRun != nil {
		report.Disabled = true
		next := t
		next.Enabled, next.NextRun, next.Plan.NextNominal = false, nil, nil
		err = c.updateTasks(ctx, []core.Task{successor(t, next, c.now)})
	}
	return report, err
}
