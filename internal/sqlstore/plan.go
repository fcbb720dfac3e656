package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// PlanDue implements core.PlanStore.
func (s *Store) PlanDue(ctx context.Context, limit int,
	decide func(now time.Time, d core.DueTask) core.Plan,
) (core.PlanReport, error) {
	var report core.PlanReport
	err := s.write(ctx, "plan due tasks", func(ctx context.Context, c conn) error {
		report = core.PlanReport{Observed: c.now}
		decisions, err := c.decideDue(ctx, limit, decide)
		if err != nil {
			return err
		}
		report.Tasks = len(decisions)
		if decisions, err = c.advance(ctx, decisions); err != nil {
			return err
		}
		if report.Cancel, err = c.replace(ctx, decisions); err != nil {
			return err
		}
		if report.Planned, err = c.insertPlanned(ctx, decisions); err != nil {
			return err
		}
		report.Wait, err = c.untilNextTask(ctx)
		return err
	})
	if err != nil {
		return core.PlanReport{}, err
	}
	return report, nil
}

// decision is a due task with what was decided about it.
type decision struct {
	task core.Task
	plan core.Plan
}

func (c conn) decideDue(ctx context.Context, limit int,
	decide func(now time.Time, d core.DueTask) core.Plan,
) ([]decision, error) {
	var rows []taskRow
	err := c.list(ctx, &rows, `
		SELECT `+taskColumns+` FROM tasks
		WHERE enabled = 1 AND next_run IS NOT NULL AND next_run <= ?
		ORDER BY next_run LIMIT ?`+c.dialect.skipLocked, stamp(c.now), limit)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	active, err := c.active(ctx, ids)
	if err != nil {
		return nil, err
	}
	tasks := tasksOf(rows)
	calendars, err := c.calendarSet(ctx, calendarsOf(tasks))
	if err != nil {
		return nil, err
	}
	decisions := make([]decision, len(tasks))
	decisions = decisions[:0]
	for _, t := range tasks {
		states, err := c.dependencies(ctx, t.DependsOn)
		if err != nil {
			return nil, err
		}
		plan := decide(c.now, core.DueTask{Task: t, Active: active[t.ID], Calendars: calendars, Dependencies: states})
		if !plan.Later {
			decisions = append(decisions, decision{t, plan})
		}
	}
	return decisions, nil
}

// advance moves the due tasks on and returns the decisions that hold. It
// compares what was decided upon, so that a plan is never made twice, even
// where the row was not locked.
func (c conn) advance(ctx context.Context, decisions []decision) ([]decision, error) {
	moved := make(map[string]bool, len(decisions))
	err := inBatches(decisions, func(batch []decision) error {
		const columns = 8
		args := make([]any, 0, len(batch)*columns)
		for _, d := range batch {
			args = append(args, d.task.ID, d.task.Version, stampOf(d.task.NextRun), stampOf(d.plan.NextRun),
				stampOf(d.plan.State.NextNominal), stampOf(d.plan.State.LastNominal), d.plan.State.Runs, stampOf(d.plan.State.Since))
		}
		var ids []string
		err := c.list(ctx, &ids, `
			WITH v (id, version, was_due, next_run, next_nominal, last_nominal, runs, since)
				AS (VALUES `+tuples(len(batch), columns)+`)
			UPDATE tasks SET
				next_run = v.next_run, next_nominal = v.next_nominal, last_nominal = v.last_nominal, runs = v.runs,
				since = v.since
			FROM v
			WHERE tasks.id = v.id AND tasks.version = v.version AND tasks.next_run = v.was_due AND tasks.enabled = 1
			RETURNING tasks.id`, args...)
		for _, id := range ids {
			moved[id] = true
		}
		return err
	})
	var held []decision
	for _, d := range decisions {
		if moved[d.task.ID] {
			held = append(held, d)
		}
	}
	return held, err
}

// replace ends what is active of the tasks whose plan says so.
func (c conn) replace(ctx context.Context, decisions []decision) (running []string, err error) {
	var ids []string
	for _, d := range decisions {
		if d.plan.CancelPrevious {
			ids = append(ids, d.task.ID)
		}
	}
	_, running, err = c.cancelLive(ctx, ids, replacedReason)
	return running, err
}

// insertPlanned stores the planned executions: those to run among the live
// ones, those that were skipped or missed in history.
func (c conn) insertPlanned(ctx context.Context, decisions []decision) ([]core.Execution, error) {
	var planned, live, ended []core.Execution
	for _, d := range decisions {
		planned = append(planned, d.plan.Executions...)
	}
	for _, e := range planned {
		if e.Status.Final() {
			ended = append(ended, e)
		} else {
			live = append(live, e)
		}
	}
	added, err := c.insertLive(ctx, live)
	if err != nil {
		return nil, err
	}
	if err := c.insertHistory(ctx, ended); err != nil {
		return nil, err
	}
	if err := c.post(ctx, core.MessagesOf(ended, c.now)); err != nil {
		return nil, err
	}
	if err := c.pokeDependents(ctx, ended); err != nil {
		return nil, err
	}
	stored := planned[:0]
	for _, e := range planned {
		if e.Status.Final() || added[e.ID] {
			stored = append(stored, e)
		}
	}
	return stored, nil
}

func (c conn) untilNextTask(ctx context.Context) (time.Duration, error) {
	var next timestamp
	err := c.get(ctx, &next, `SELECT MIN(next_run) FROM tasks WHERE enabled = 1 AND next_run IS NOT NULL`)
	return until(c.now, next), err
}

// CountDue implements core.PlanStore.
func (s *Store) CountDue(ctx context.Context, from, to time.Time) (int, error) {
	var n int
	err := s.read().get(ctx, &n, `
		SELECT COUNT(*) FROM tasks
		WHERE enabled = 1 AND next_run IS NOT NULL AND next_run >= ? AND next_run < ?`, stamp(from), stamp(to))
	return n, s.wrap("count due tasks", err)
}
