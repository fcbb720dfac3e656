package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// putDependencies replaces the edges of a task. It refuses unknown tasks and
// ways that lead back to it.
func (c conn) putDependencies(ctx context.Context, t core.Task) error {
	if len(t.DependsOn) > 0 {
		if err := c.hold(ctx, "dependencies"); err != nil { // two edges, each fine alone, may close a circle
			return err
		}
	}
	known, err := listIn[string](ctx, c, `SELECT id FROM tasks WHERE id IN (?)`+c.dialect.keep, t.DependsOn)
	if err != nil {
		return err
	}
	exists := map[string]bool{}
	for _, id := range known {
		exists[id] = true
	}
	for i, id := range t.DependsOn {
		if !exists[id] {
			return core.UnknownDependency(i)
		}
	}
	cycle, err := core.FindCycle(t.ID, t.DependsOn, func(id string) ([]string, error) {
		var next []string
		err := c.list(ctx, &next, `SELECT depends_on FROM task_dependencies WHERE task_id = ?`, id)
		return next, err
	})
	if err != nil {
		return err
	}
	if cycle != nil {
		return core.CycleError(cycle)
	}
	if _, err := c.exec(ctx, `DELETE FROM task_dependencies WHERE task_id = ?`, t.ID); err != nil {
		return err
	}
	return inBatches(t.DependsOn, func(batch []string) error {
		args := make([]any, 0, 4*len(batch))
		for _, id := range batch {
			args = append(args, core.NewID(), t.ID, id, stamp(c.now))
		}
		v, args := c.table(`id, task_id, dependency, created_at`, args)
		_, err := c.exec(ctx, `INSERT INTO task_dependencies (id, task_id, depends_on, created_at) `+v, args...)
		return err
	})
}

// refuseDependents fails while other tasks depend on a task.
func (c conn) refuseDependents(ctx context.Context, id string) error {
	var n int
	if err := c.get(ctx, &n, `SELECT COUNT(*) FROM task_dependencies WHERE depends_on = ?`, id); err != nil {
		return err
	}
	if n > 0 {
		return core.Errorf(core.CodeConflict, "%d tasks depend on task %s; change them first", n, id)
	}
	return nil
}

// judging is held by Judge alone and, shared, by those who end what others may
// wait for: an end is then seen either by the look that Judge takes, or by the
// execution that Judge has put off. It comes before the locks of rows.
const judging = "judging"

// dependentsOf lists the tasks that depend on those whose executions have ended.
func (c conn) dependentsOf(ctx context.Context, settled []core.Execution) ([]string, error) {
	var ids []string
	for _, e := range settled {
		if e.Counts() {
			ids = append(ids, e.TaskID)
		}
	}
	return listIn[string](ctx, c, `SELECT task_id FROM task_dependencies WHERE depends_on IN (?)`, ids)
}

// pokeExecutions makes Judge look at the executions of tasks that wait.
func (c conn) pokeExecutions(ctx context.Context, tasks []string, lock string) error {
	return inBatches(tasks, func(batch []string) error {
		if err := c.lockAwaiting(ctx, batch, lock); err != nil {
			return err
		}
		_, err := c.exec(ctx, `
			UPDATE executions SET judge_at = ?
			WHERE task_id IN (?) AND `+isAwaiting, stamp(c.now), batch)
		return err
	})
}

func (c conn) lockAwaiting(ctx context.Context, tasks []string, lock string) error {
	if lock == "" {
		return nil
	}
	var ids []string
	return c.list(ctx, &ids, `SELECT id FROM executions WHERE task_id IN (?) AND `+isAwaiting+lock, tasks)
}

// pokeTasks makes the planner look at those of the tasks that run after others.
func (c conn) pokeTasks(ctx context.Context, tasks []string, lock string) error {
	return inBatches(tasks, func(batch []string) error {
		if err := c.lockTasks(ctx, batch, lock); err != nil {
			return err
		}
		_, err := c.exec(ctx, `
			UPDATE tasks SET next_run = ?
			WHERE id IN (?) AND schedule_type = 'dependency' AND enabled = `+c.dialect.yes+` AND pause_reason IS NULL`,
			stamp(c.now), batch)
		return err
	})
}

// Dependencies implements core.PlanStore.
func (s *Store) Dependencies(ctx context.Context, ids []string) ([]core.DependencyState, error) {
	states, err := s.read().dependencies(ctx, ids)
	return states, s.wrap("read dependencies", err)
}

func (c conn) dependencies(ctx context.Context, ids []string) ([]core.DependencyState, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	names, err := listIn[struct {
		ID   string `db:"id"`
		Name string `db:"name"`
	}](ctx, c, `SELECT id, name FROM tasks WHERE id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	ends, err := c.lastEnds(ctx, ids)
	if err != nil {
		return nil, err
	}
	pruned, err := listIn[endRow](ctx, c, `SELECT task_id, status, end_time AS ended FROM task_ends WHERE task_id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	ends = append(ends, pruned...)
	states := make(map[string]*core.DependencyState, len(names))
	for _, n := range names {
		states[n.ID] = &core.DependencyState{TaskID: n.ID, Name: n.Name}
	}
	for _, e := range ends {
		if s, ok := states[e.TaskID]; ok {
			s.Note(e.Status, e.End.Time)
		}
	}
	ordered := make([]core.DependencyState, 0, len(ids))
	for _, id := range ids {
		if s, ok := states[id]; ok {
			ordered = append(ordered, *s)
		}
	}
	return ordered, nil
}

// What core.Execution.Counts says of finished executions, in two parts: each has
// an index.
const (
	hasEnded              = `status IN ('succeeded', 'failed', 'cancelled', 'lost')`
	isSkippedByDependency = `status = 'skipped' AND error_code = 'DEPENDENCY_FAILED'`
)

// endRow is the latest end of a task in a state.
type endRow struct {
	TaskID string      `db:"task_id"`
	Status core.Status `db:"status"`
	End    timestamp   `db:"ended"`
}

// lastEnds reads the latest ends that core.Execution.Counts, by task and state.
func (c conn) lastEnds(ctx context.Context, ids []string) (ends []endRow, err error) {
	err = inBatches(ids, func(batch []string) error {
		var part []endRow
		err := c.list(ctx, &part, `
			SELECT task_id, status, MAX(end_time) AS ended FROM task_history
			WHERE task_id IN (?) AND `+hasEnded+`
			GROUP BY task_id, status
			UNION ALL
			SELECT task_id, 'skipped' AS status, MAX(end_time) AS ended FROM task_history
			WHERE task_id IN (?) AND `+isSkippedByDependency+`
			GROUP BY task_id`, batch, batch)
		ends = append(ends, part...)
		return err
	})
	return ends, err
}

// Judge implements core.PlanStore.
func (s *Store) Judge(ctx context.Context, limit int,
	rule func(now time.Time, e core.Execution, states []core.DependencyState) core.Verdict,
) (core.JudgeReport, error) {
	var report core.JudgeReport
	err := s.write(ctx, "judge", func(ctx context.Context, c conn) error {
		report = core.JudgeReport{}
		var err error
		if report.Wait, err = c.untilNextJudging(ctx); err != nil || report.Wait != 0 {
			return err // mostly there is nothing, and nobody need wait for it
		}
		if err := c.hold(ctx, judging); err != nil {
			return err
		}
		waiting, err := c.toJudge(ctx, limit)
		if err != nil {
			return err
		}
		var patient []core.Execution
		for _, e := range waiting {
			states, err := c.dependencies(ctx, e.Awaits.Tasks)
			if err != nil {
				return err
			}
			if e.Settle(rule(c.now, e, states), c.now) {
				report.Changed = append(report.Changed, e)
			} else {
				patient = append(patient, e)
			}
		}
		if err := c.putOffJudging(ctx, patient); err != nil {
			return err
		}
		if err := c.save(ctx, report.Changed); err != nil {
			return err
		}
		if err := c.follow(ctx, report.Changed); err != nil {
			return err
		}
		report.Wait, err = c.untilNextJudging(ctx)
		return err
	})
	if err != nil {
		return core.JudgeReport{}, err
	}
	return report, nil
}

// toJudge reads the executions whose dependencies are to be looked at.
func (c conn) toJudge(ctx context.Context, limit int) ([]core.Execution, error) {
	var rows []executionRow
	err := c.list(ctx, &rows, `
		SELECT `+executionColumns+` FROM executions
		WHERE `+isAwaiting+` AND judge_at IS NOT NULL AND judge_at <= ?
		ORDER BY judge_at LIMIT ?`+c.dialect.skipLocked, stamp(c.now), limit)
	if err != nil {
		return nil, err
	}
	return executionsOf(rows)
}

// putOffJudging looks at executions again when their patience ends; or before,
// when one of their dependencies has ended.
func (c conn) putOffJudging(ctx context.Context, executions []core.Execution) error {
	return inBatches(executions, func(batch []core.Execution) error {
		const columns = `id, judge_at`
		args := make([]any, 0, 2*len(batch))
		for _, e := range batch {
			args = append(args, e.ID, stampOf(e.Awaits.Until))
		}
		v, args := c.table(columns, args)
		_, err := c.exec(ctx, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE executions SET judge_at = v.judge_at
			FROM v WHERE executions.id = v.id`, args...)
		return err
	})
}

func (c conn) untilNextJudging(ctx context.Context) (time.Duration, error) {
	var next timestamp
	err := c.get(ctx, &next, `SELECT MIN(judge_at) FROM executions WHERE `+isAwaiting+` AND judge_at IS NOT NULL`)
	return until(c.now, next), err
}
