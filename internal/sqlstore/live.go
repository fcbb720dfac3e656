package sqlstore

import (
	"context"

	"github.com/nexuscore/scheduler/core"
)

// insertLive adds executions that wait and returns the ids of those added. An
// occurrence that has an execution already is left out: one (task, nominal
// time) becomes one execution, whatever the planner believes.
func (c conn) insertLive(ctx context.Context, executions []core.Execution) (map[string]bool, error) {
	added := make(map[string]bool, len(executions))
	err := inBatches(executions, func(batch []core.Execution) error {
		const columns = executionColumns + `, ` + gateColumns
		args := make([]any, 0, len(batch)*(executionColumnCount+gateColumnCount))
		for _, e := range batch {
			args = append(append(args, executionArgs(e)...), gateArgs(e)...)
		}
		v, args := c.table(columns, args)
		var ids []string
		err := c.list(ctx, &ids, `
			INSERT INTO executions (`+columns+`) `+v+`
			ON CONFLICT (task_id, nominal_time) WHERE trigger = 'schedule' DO NOTHING
			RETURNING id`, args...)
		for _, id := range ids {
			added[id] = true
		}
		return err
	})
	return added, err
}

// insertHistory adds executions that have ended.
func (c conn) insertHistory(ctx context.Context, executions []core.Execution) error {
	return inBatches(executions, func(batch []core.Execution) error {
		args := make([]any, 0, len(batch)*executionColumnCount)
		for _, e := range batch {
			args = append(args, executionArgs(e)...)
		}
		v, args := c.table(executionColumns, args)
		_, err := c.exec(ctx, `INSERT INTO task_history (`+executionColumns+`) `+v, args...)
		return err
	})
}

// save writes executions that the transaction has read and changed: live ones
// back to their rows, ended ones to history.
func (c conn) save(ctx context.Context, executions []core.Execution) error {
	var live, ended []core.Execution
	for _, e := range executions {
		if e.Status.Final() {
			ended = append(ended, e)
		} else {
			live = append(live, e)
		}
	}
	if err := c.updateLive(ctx, live); err != nil {
		return err
	}
	_, err := c.retire(ctx, ended, c.dialect.yes)
	return err
}

// retire moves executions that have ended to history, those of them that meet a
// condition on e, the row, and v, what became of it. It returns by id until when
// each had its lease. What cannot have changed since an execution was made goes
// from the one table to the other and not over here.
func (c conn) retire(ctx context.Context, ended []core.Execution, condition string) (map[string]timestamp, error) {
	leaving := `SELECT e.* FROM executions AS e JOIN v ON e.id = v.ended_id WHERE ` + condition
	if c.dialect.withMay {
		leaving = `DELETE FROM executions AS e USING v WHERE e.id = v.ended_id AND ` + condition + ` RETURNING e.*`
	}
	retired := make(map[string]timestamp, len(ended))
	err := inBatches(ended, func(batch []core.Execution) error {
		const columns = `ended_id, status, due_at, start_time, end_time, duration, attempt, attempts, error, error_code, result,
			worker, plugin, token, cancel_requested, awaits, late_at`
		args := make([]any, 0, len(batch)*17)
		for _, e := range batch {
			args = append(args, e.ID, e.Status, stamp(e.DueAt), stampOf(e.StartTime), stampOf(e.EndTime), e.Duration,
				e.Attempt, document[[]core.Attempt]{e.Attempts}, e.Error, e.ErrorCode, rawJSON(e.Result), e.Worker, e.Plugin,
				e.Token, e.CancelRequested, documentOf(e.Awaits), stampOf(e.LateAt))
		}
		v, args := c.table(columns, args)
		var rows []struct {
			ID         string    `db:"id"`
			LeaseUntil timestamp `db:"lease_until"`
		}
		if err := c.list(ctx, &rows, `
			WITH v (`+columns+`) AS (`+v+`), leaving AS (`+leaving+`)
			INSERT INTO task_history (`+executionColumns+`)
			SELECT e.id, e.task_id, e.task_name, e.type, v.status, e.trigger, e.nominal_time, v.due_at, v.start_time, v.end_time,
				v.duration, v.attempt, e.max_attempts, v.attempts, v.error, v.error_code, v.result, v.worker, v.plugin, e.retry_of,
				e.created_at, e.policy, e.data, e.hours, v.awaits, v.token, v.cancel_requested, e.lease_until, e.attempt_start, v.late_at
			FROM v JOIN leaving AS e ON e.id = v.ended_id
			RETURNING id, lease_until`, args...); err != nil {
			return err
		}
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i], retired[r.ID] = r.ID, r.LeaseUntil
		}
		if c.dialect.withMay || len(ids) == 0 {
			return nil
		}
		_, err := c.exec(ctx, `DELETE FROM executions WHERE id IN (?)`, ids)
		return err
	})
	return retired, err
}

// updateLive writes what changes in the life of an execution.
func (c conn) updateLive(ctx context.Context, executions []core.Execution) error {
	return inBatches(executions, func(batch []core.Execution) error {
		const columns = `id, status, due_at, start_time, end_time, duration, attempt, attempts, error, error_code, result,
			worker, plugin, token, cancel_requested, lease_until, attempt_start, awaits, late_at`
		args := make([]any, 0, len(batch)*20)
		for _, e := range batch {
			args = append(args, e.ID, e.Status, stamp(e.DueAt), stampOf(e.StartTime), stampOf(e.EndTime), e.Duration,
				e.Attempt, document[[]core.Attempt]{e.Attempts}, e.Error, e.ErrorCode, rawJSON(e.Result), e.Worker, e.Plugin,
				e.Token, e.CancelRequested, stamp(e.LeaseUntil), stamp(e.AttemptStart), documentOf(e.Awaits), stampOf(e.LateAt))
		}
		v, args := c.table(columns, args)
		_, err := c.exec(ctx, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE executions SET
				status = v.status, due_at = v.due_at, start_time = v.start_time, end_time = v.end_time,
				duration = v.duration, attempt = v.attempt, attempts = v.attempts, error = v.error,
				error_code = v.error_code, result = v.result, worker = v.worker, plugin = v.plugin, token = v.token,
				cancel_requested = v.cancel_requested, lease_until = v.lease_until, attempt_start = v.attempt_start, awaits = v.awaits,
				late_at = v.late_at
			FROM v WHERE executions.id = v.id`, args...)
		return err
	})
}

// cancelLive ends the waiting executions of tasks and asks the running ones to
// end. It returns what it ended and the ids of what runs. The tasks are locked
// already, and tasks come after executions: so it waits for nobody, and the
// transaction is repeated when somebody has one of them.
func (c conn) cancelLive(ctx context.Context, taskIDs []string, reason string) (cancelled []core.Execution, running []string, err error) {
	rows, err := listIn[executionRow](ctx, c, `
		SELECT `+executionColumns+` FROM executions
		WHERE task_id IN (?) AND `+isWaiting+c.dialect.lockNow, taskIDs)
	if err != nil {
		return nil, nil, err
	}
	if cancelled, err = executionsOf(rows); err != nil {
		return nil, nil, err
	}
	for i := range cancelled {
		cancelled[i].Cancel(reason, c.now)
	}
	if err := c.save(ctx, cancelled); err != nil {
		return nil, nil, err
	}
	if err := c.followNow(ctx, cancelled); err != nil {
		return nil, nil, err
	}
	if err := c.lockLiveOf(ctx, taskIDs...); err != nil {
		return nil, nil, err
	}
	running, err = listIn[string](ctx, c, `
		UPDATE executions SET cancel_requested = `+c.dialect.yes+`
		WHERE task_id IN (?) AND `+isRunning+`
		RETURNING id`, taskIDs)
	return cancelled, running, err
}

// lockLiveOf locks the live executions of tasks. Executions come before tasks
// wherever both are locked; who needs the task in order to know what to do calls
// this before. It waits for nobody: the transaction is repeated when somebody
// has one of them.
func (c conn) lockLiveOf(ctx context.Context, taskIDs ...string) error {
	if c.dialect.lockNow == "" {
		return nil
	}
	_, err := listIn[string](ctx, c, `SELECT id FROM executions WHERE task_id IN (?)`+c.dialect.lockNow, taskIDs)
	return err
}

// inOrder is the beginning of a statement that changes executions: v, with the ids,
// which are sorted, as named_id. A row is looked for by each, one after the other, so
// that the statement locks in the order in which all others do; of a list Postgres
// might look for all at once and lock them as they lie.
func (c conn) inOrder(ids []string) (with string, args []any) {
	args = make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	v, args := c.table(`named_id`, args)
	return `WITH v (named_id) AS (` + v + `)`, args
}

// lockLive locks executions in order, for a statement that has an order of its
// own.
func (c conn) lockLive(ctx context.Context, ids []string) error {
	if c.dialect.lockAll == "" {
		return nil
	}
	_, err := listIn[string](ctx, c, `SELECT id FROM executions WHERE id IN (?)`+c.dialect.lockAll, ids)
	return err
}
