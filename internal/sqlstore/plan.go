package sqlstore

import (
	"context"
	"slices"
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
		if err := c.holdShared(ctx, judging); err != nil { // what is replaced ends
			return err
		}
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
		WHERE enabled = `+c.dialect.yes+` AND next_run IS NOT NULL AND next_run <= ?
		ORDER BY next_run LIMIT ?`+c.dialect.skipLocked, stamp(c.now), limit)
	if err != nil {
		return nil, err
	}
	tasks, err := c.undisturbed(ctx, tasksOf(rows))
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	active, err := c.active(ctx, ids)
	if err != nil {
		return nil, err
	}
	calendars, err := c.calendarSet(ctx, calendarsOf(tasks))
	if err != nil {
		return nil, err
	}
	decisions := make([]decision, 0, len(tasks))
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

// undisturbed leaves out the tasks that would end their executions while somebody
// else is changing one of these: waiting for them, with the tasks locked, could
// be waiting in a circle. They stay due.
func (c conn) undisturbed(ctx context.Context, tasks []core.Task) ([]core.Task, error) {
	if c.dialect.skipLocked == "" {
		return tasks, nil
	}
	var replacing []string
	for _, t := range tasks {
		if t.Overlap == core.OverlapCancelPrevious {
			replacing = append(replacing, t.ID)
		}
	}
	if len(replacing) == 0 {
		return tasks, nil
	}
	locked, err := listIn[string](ctx, c, `
		SELECT id FROM executions WHERE task_id IN (?)
		ORDER BY id`+c.dialect.skipLocked, replacing)
	if err != nil {
		return nil, err
	}
	live, err := listIn[struct {
		ID     string `db:"id"`
		TaskID string `db:"task_id"`
	}](ctx, c, `SELECT id, task_id FROM executions WHERE task_id IN (?)`, replacing)
	if err != nil {
		return nil, err
	}
	ours, disturbed := map[string]bool{}, map[string]bool{}
	for _, id := range locked {
		ours[id] = true
	}
	for _, e := range live {
		if !ours[e.ID] {
			disturbed[e.TaskID] = true
		}
	}
	return slices.DeleteFunc(tasks, func(t core.Task) bool { return disturbed[t.ID] }), nil
}

// advance moves the due tasks on and returns the decisions that hold. It
// compares what was decided upon, so that a plan is never made twice, even
// where the row was not locked.
func (c conn) advance(ctx context.Context, decisions []decision) ([]decision, error) {
	moved := make(map[string]bool, len(decisions))
	err := inBatches(decisions, func(batch []decision) error {
		const columns = `id, version, was_due, next_run, next_nominal, last_nominal, runs, since`
		args := make([]any, 0, len(batch)*8)
		for _, d := range batch {
			args = append(args, d.task.ID, d.task.Version, stampOf(d.task.NextRun), stampOf(d.plan.NextRun),
				stampOf(d.plan.State.NextNominal), stampOf(d.plan.State.LastNominal), d.plan.State.Runs, stampOf(d.plan.State.Since))
		}
		v, args := c.table(columns, args)
		var ids []string
		err := c.list(ctx, &ids, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE tasks SET
				next_run = v.next_run, next_nominal = v.next_nominal, last_nominal = v.last_nominal, runs = v.runs,
				since = v.since
			FROM v
			WHERE tasks.id = v.id AND tasks.version = v.version AND tasks.next_run = v.was_due AND tasks.enabled = `+c.dialect.yes+`
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
	made := make([][]core.Execution, len(decisions))
	for i, d := range decisions {
		made[i] = d.plan.Executions
	}
	planned := slices.Concat(made...)
	live, ended := make([]core.Execution, 0, len(planned)), []core.Execution(nil)
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
	if err := c.followNow(ctx, ended); err != nil { // a failed dependency goes down the chain
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
	err := c.get(ctx, &next, `SELECT MIN(next_run) FROM tasks WHERE enabled = `+c.dialect.yes+` AND next_run IS NOT NULL`)
	return until(c.now, next), err
}

// CountDue implements core.PlanStore.
func (s *Store) CountDue(ctx context.Context, from, to time.Time) (int, error) {
	var n int
	err := s.read().get(ctx, &n, `
		SELECT COUNT(*) FROM tasks
		WHERE enabled = `+s.dialect.yes+` AND next_run IS NOT NULL AND next_run >= ? AND next_run < ?`, stamp(from), stamp(to))
	return n, s.wrap("count due tasks", err)
}
