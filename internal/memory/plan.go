package memory

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// PlanDue turns due tasks into executions. All decisions are taken before the
// first one is applied, so that a decide which panics leaves nothing behind.
func (s *Store) PlanDue(ctx context.Context, limit int, decide func(now time.Time, d core.DueTask) core.Plan) (core.PlanReport, error) {
	now, err := s.begin(ctx, "plan due tasks")
	if err != nil {
		return core.PlanReport{}, err
	}
	defer s.end()

	due := s.tasks.dueBy(now, limit)
	plans := make([]core.Plan, len(due))
	for i, t := range due {
		plans[i] = decide(now, core.DueTask{
			Task: cloneTask(t), Active: s.executions.active(t.ID), Calendars: s.calendars.set(t.Calendars),
			Dependencies: s.dependencies(t.DependsOn),
		})
	}
	report := core.PlanReport{Tasks: len(due), Observed: now}
	for i, t := range due {
		if !plans[i].Later {
			s.apply(t, plans[i], now, &report)
		}
	}
	report.Wait = s.tasks.wait(now)
	return report, nil
}

// apply carries one plan out and adds to the report what it did.
func (s *Store) apply(t core.Task, p core.Plan, now time.Time, report *core.PlanReport) {
	if p.CancelPrevious {
		_, running := s.endActive(t.ID, reasonNextOccurrence, now)
		report.Cancel = append(report.Cancel, running...)
	}
	var added []core.Execution
	for _, e := range p.Executions {
		if s.executions.planned(&e) {
			continue
		}
		s.add(e)
		added = append(added, cloneExecution(e))
	}
	report.Planned = append(report.Planned, added...)
	s.outbox.post(core.MessagesOf(added, now))
	t.NextRun, t.Plan = p.NextRun, p.State
	s.tasks.put(cloneTask(t))
	for _, e := range p.Executions {
		s.pokeDependents(e, now)
	}
}

// PlanBackfill implements core.BackfillStore.
func (s *Store) PlanBackfill(ctx context.Context, taskID string, from, to time.Time, key *core.Idempotency,
	decide func(now time.Time, d core.BackfillTask) (core.BackfillPlan, error),
) ([]string, error) {
	now, err := s.begin(ctx, "plan backfill")
	if err != nil {
		return nil, err
	}
	defer s.end()

	made, err := s.requests.made(key)
	if err != nil {
		return nil, err
	}
	t, err := s.tasks.get(taskID, core.AnyVersion)
	if err != nil {
		return nil, err
	}
	plan, err := decide(now, core.BackfillTask{
		Task: cloneTask(t), Active: s.executions.active(t.ID), Occurred: s.occurred(t.ID, from, to),
	})
	switch {
	case err != nil:
		return nil, err
	case made != "":
		return nil, core.ErrReplayed
	}
	var running []string
	if plan.CancelPrevious {
		_, running = s.endActive(t.ID, reasonNextOccurrence, now)
	}
	for _, e := range plan.Executions {
		s.add(e)
	}
	s.outbox.post(core.MessagesOf(plan.Executions, now))
	t.NextRun, t.Plan = plan.NextRun, plan.State
	s.tasks.put(cloneTask(t))
	s.requests.remember(key, t.ID, now)
	return running, nil
}

// CountDue counts the enabled tasks whose next run is in [from, to).
func (s *Store) CountDue(ctx context.Context, from, to time.Time) (int, error) {
	if _, err := s.begin(ctx, "count due tasks"); err != nil {
		return 0, err
	}
	defer s.end()

	n := 0
	for row := range s.tasks.due.all() {
		if !row.NextRun.Before(to) {
			break
		}
		if !row.NextRun.Before(from) {
			n++
		}
	}
	return n, nil
}
