package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// CreateExecution implements core.ExecutionStore.
func (s *Store) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	var made core.Execution
	var running []string
	var replayed bool
	err := s.write(ctx, "create execution", func(ctx context.Context, c conn) (err error) {
		if made, replayed, err = replay(ctx, c, key, c.execution); err != nil || replayed {
			return err
		}
		if err := c.holdRetry(ctx, e.RetryOf); err != nil {
			return err
		}
		if made, replayed, err = c.liveRetry(ctx, e.RetryOf); err != nil {
			return err
		}
		if !replayed {
			made = e
			if running, err = c.addExecution(ctx, e); err != nil {
				return err
			}
		}
		return c.keepKey(ctx, key, made.ID)
	})
	switch {
	case err != nil:
		return core.Execution{}, nil, err
	case replayed:
		return made, nil, core.ErrReplayed
	}
	return made, running, nil
}

// holdRetry lets those who retry the same execution come one after the other.
func (c conn) holdRetry(ctx context.Context, of *string) error {
	if of == nil {
		return nil
	}
	return c.hold(ctx, "retry of "+*of)
}

// liveRetry finds the retry of an execution that has not ended.
func (c conn) liveRetry(ctx context.Context, of *string) (e core.Execution, found bool, err error) {
	if of == nil {
		return e, false, nil
	}
	var row executionRow
	err = c.get(ctx, &row, `SELECT `+executionColumns+` FROM executions WHERE retry_of = ? AND `+hasRetryOf, *of)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	e, err = row.execution()
	return e, err == nil, err
}

// addExecution stores an execution that its overlap policy admits.
func (c conn) addExecution(ctx context.Context, e core.Execution) (running []string, err error) {
	if running, err = c.admit(ctx, e); err != nil {
		return nil, err
	}
	added, err := c.insertLive(ctx, []core.Execution{e})
	if err == nil && !added[e.ID] {
		err = core.Errorf(core.CodeConflict, "the occurrence %s of task %s has an execution already",
			e.NominalTime.UTC().Format(time.RFC3339), e.TaskID)
	}
	return running, err
}

// admit asks the overlap policy and makes room when it says so. It returns the
// running executions that were asked to end.
func (c conn) admit(ctx context.Context, e core.Execution) ([]string, error) {
	if err := c.lockAdmission(ctx, e); err != nil {
		return nil, err
	}
	active, err := c.active(ctx, []string{e.TaskID})
	if err != nil {
		return nil, err
	}
	a := e.Policy.Overlap.Admit(active[e.TaskID])
	if !a.Admit {
		var oldest string
		if err := c.get(ctx, &oldest, `SELECT MIN(id) FROM executions WHERE task_id = ?`, e.TaskID); err != nil {
			return nil, err
		}
		return nil, e.Policy.Overlap.LockedError(a, oldest)
	}
	if !a.CancelPrevious {
		return nil, nil
	}
	_, running, err := c.cancelLive(ctx, []string{e.TaskID}, replacedReason)
	return running, err
}

// lockAdmission keeps others from adding executions to the task until the
// transaction ends: what a policy counts must not change meanwhile. The planner
// locks the same row.
func (c conn) lockAdmission(ctx context.Context, e core.Execution) error {
	if e.Policy.Overlap == core.OverlapAllow {
		return nil
	}
	if e.Policy.Overlap == core.OverlapCancelPrevious {
		if err := c.holdShared(ctx, judging); err != nil { // they end
			return err
		}
		if err := c.lockLiveOf(ctx, e.TaskID); err != nil {
			return err
		}
	}
	_, err := c.lockTask(ctx, e.TaskID)
	if core.CodeOf(err) == core.CodeNotFound {
		return nil // a retry of what a deleted task did
	}
	return err
}

// replacedReason is why an execution ended under OverlapCancelPrevious.
const replacedReason = "cancelled by the next occurrence"

// active counts the live executions of tasks.
func (c conn) active(ctx context.Context, taskIDs []string) (map[string]core.Active, error) {
	type count struct {
		TaskID  string `db:"task_id"`
		Running int    `db:"running"`
		Waiting int    `db:"waiting"`
	}
	counts, err := listIn[count](ctx, c, `
		SELECT task_id,
			SUM(CASE WHEN status = 'running' THEN 1 ELSE 0 END) AS running,
			SUM(CASE WHEN status = 'running' THEN 0 ELSE 1 END) AS waiting
		FROM executions WHERE task_id IN (?) GROUP BY task_id`, taskIDs)
	if err != nil {
		return nil, err
	}
	active := make(map[string]core.Active, len(counts))
	for _, n := range counts {
		active[n.TaskID] = core.Active{Running: n.Running, Waiting: n.Waiting}
	}
	return active, nil
}

// Execution implements core.ExecutionStore.
func (s *Store) Execution(ctx context.Context, id string) (core.Execution, error) {
	e, err := s.read().execution(ctx, id)
	return e, s.wrap("read execution", err)
}

// execution reads a live or an ended execution in one statement: between two,
// it could move from the one table to the other and be in neither.
func (c conn) execution(ctx context.Context, id string) (core.Execution, error) {
	var row executionRow
	err := c.get(ctx, &row, `
		SELECT `+shownLiveColumns+` FROM executions WHERE id = ?
		UNION ALL
		SELECT `+shownEndedColumns+` FROM task_history WHERE id = ?`, id, id)
	if errors.Is(err, sql.ErrNoRows) {
		return core.Execution{}, notFound("execution", id)
	}
	if err != nil {
		return core.Execution{}, err
	}
	return row.execution()
}

// ExecutionLogs implements core.ExecutionStore. It fails with NOT_FOUND when
// there is no such execution, and returns none for one that logged nothing.
func (s *Store) ExecutionLogs(ctx context.Context, id string) ([]core.AttemptLog, error) {
	var rows []logRow
	err := s.snapshot(ctx, "read logs", func(ctx context.Context, c conn) error {
		if _, err := c.execution(ctx, id); err != nil {
			return err
		}
		return c.list(ctx, &rows, `
			SELECT attempt, lines, dropped FROM execution_logs
			WHERE execution_id = ? ORDER BY id`, id)
	})
	if err != nil {
		return nil, err
	}
	return attemptLogs(rows), nil
}

// attemptLogs makes one log of each attempt: one that was handed back and begun
// anew has several rows.
func attemptLogs(rows []logRow) []core.AttemptLog {
	logs := make([]core.AttemptLog, 0, len(rows))
	for _, r := range rows {
		if last := len(logs) - 1; last >= 0 && logs[last].Attempt == r.Attempt {
			logs[last].Lines = append(logs[last].Lines, r.Lines.value...)
			logs[last].Dropped += r.Dropped
			continue
		}
		logs = append(logs, core.AttemptLog{Attempt: r.Attempt, Lines: r.Lines.value, Dropped: r.Dropped})
	}
	return logs
}

// Occurred implements core.ExecutionStore.
func (s *Store) Occurred(ctx context.Context, taskID string, from, to time.Time) (map[time.Time]core.Status, error) {
	occurred, err := s.read().occurred(ctx, taskID, from, to)
	return occurred, s.wrap("read occurrences", err)
}

func (c conn) occurred(ctx context.Context, taskID string, from, to time.Time) (map[time.Time]core.Status, error) {
	var rows []struct {
		Nominal timestamp   `db:"nominal_time"`
		Status  core.Status `db:"status"`
	}
	err := c.list(ctx, &rows, `
		SELECT nominal_time, status FROM task_history
		WHERE task_id = ? AND status = 'succeeded' AND nominal_time >= ? AND nominal_time < ?
		UNION ALL
		SELECT nominal_time, status FROM executions
		WHERE task_id = ? AND nominal_time >= ? AND nominal_time < ?`,
		taskID, stamp(from), stamp(to), taskID, stamp(from), stamp(to))
	occurred := make(map[time.Time]core.Status, len(rows))
	for _, r := range rows {
		occurred[r.Nominal.Time] = r.Status
	}
	return occurred, err
}
