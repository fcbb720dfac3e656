package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) plan(t *testing.T) {
	s.run(t, "only enabled tasks whose time has come are due", planSelects)
	s.run(t, "the longest due come first, up to the limit", planOrder)
	s.run(t, "decide sees the store's time, the stored task and its live executions", planSees)
	s.run(t, "a plan is applied whole", planApplies)
	s.run(t, "a planned execution comes back with every field", planRoundTrip)
	s.run(t, "skipped and missed executions are history at once", planDismissed)
	s.run(t, "a plan is no change by a user", planKeepsVersion)
	s.run(t, "a task without a further occurrence is not due any more", planEnds)
	s.run(t, "the wait leads to the next due task", planWait)
	s.run(t, "a task that is behind stays due", planBehind)
	s.run(t, "an occurrence that has a live execution gets no second one", planOccurrenceOnce)
	s.run(t, "cancel previous ends what is active before", planCancelPrevious)
}

// planNothing moves a task to no further occurrence and executes nothing.
func planNothing(_ time.Time, d core.DueTask) core.Plan { return core.Plan{State: d.Task.Plan} }

// planOnce executes an occurrence and moves the task on by step.
func planOnce(step time.Duration) func(time.Time, core.DueTask) core.Plan {
	return func(now time.Time, d core.DueTask) core.Plan {
		nominal := *d.Task.Plan.NextNominal
		next := nominal.Add(step)
		return core.Plan{
			NextRun:    &next,
			State:      core.PlanState{NextNominal: &next, LastNominal: &nominal, Runs: d.Task.Plan.Runs + 1},
			Executions: []core.Execution{core.NewExecution(d.Task, core.TriggerSchedule, nominal, nominal, now)},
		}
	}
}

// planned returns the ids of the tasks that a look takes, in order, and moves
// none of them.
func (f *fixture) planned(limit int) (ids []string) {
	f.Helper()
	f.planDue(limit, func(_ time.Time, d core.DueTask) core.Plan {
		ids = append(ids, d.Task.ID)
		return core.Plan{NextRun: d.Task.NextRun, State: d.Task.Plan}
	})
	return ids
}

func planSelects(f *fixture) {
	now := f.clock.Now()
	exact, overdue := f.putDueTask(now), f.putDueTask(now.Add(-time.Hour))
	early := f.putDueTask(now.Add(time.Microsecond))
	f.putDueTask(now, func(s *core.TaskSpec) { s.Enabled = false })
	f.putTask()
	require.Equal(f, []string{overdue.ID, exact.ID}, f.planned(10))

	f.clock.Advance(time.Microsecond)
	require.Equal(f, []string{overdue.ID, exact.ID, early.ID}, f.planned(10))
}

func planOrder(f *fixture) {
	now := f.clock.Now()
	second := f.putDueTask(now.Add(-time.Minute))
	third := f.putDueTask(now.Add(-time.Minute)) // the same time, the larger id
	last := f.putDueTask(now)
	first := f.putDueTask(now.Add(-time.Hour))
	want := []string{first.ID, second.ID, third.ID, last.ID}
	require.Equal(f, want, f.planned(10))
	require.Equal(f, want[:3], f.planned(3))
}

func planSees(f *fixture) {
	task := f.putDueTask(Epoch().Add(time.Minute), Overlap(core.OverlapAllow))
	f.putFinished(task)
	f.start(f.put(task))
	f.put(task)
	f.mark(f.put(task))
	f.settle(f.start(f.put(task))[0], retryLater)
	now := f.clock.Advance(time.Minute)

	calls := 0
	report := f.planDue(10, func(at time.Time, d core.DueTask) core.Plan {
		calls++
		require.Equal(f, now, at)
		require.Equal(f, core.Active{Running: 1, Waiting: 3}, d.Active)
		requireSameTask(f, withLastRun(task, Epoch()), d.Task)
		return planNothing(at, d)
	})
	require.Positive(f, calls)
	require.Equal(f, 1, report.Tasks)
	require.Equal(f, now, report.Observed)
}

// withLastRun returns the task as it is after one of its executions started.
func withLastRun(t core.Task, at time.Time) core.Task {
	t.LastRun = &at
	return t
}

func planApplies(f *fixture) {
	task := f.putDueTask(Epoch())
	now := f.clock.Advance(time.Second)
	var plan core.Plan
	report := f.planDue(10, func(at time.Time, d core.DueTask) core.Plan {
		plan = planOnce(time.Minute)(at, d)
		return plan
	})
	require.Equal(f, 1, report.Tasks)
	require.Equal(f, idsOf(plan.Executions), idsOf(report.Planned))
	requireSameExecution(f, plan.Executions[0], report.Planned[0])
	requireSameExecution(f, plan.Executions[0], f.get(plan.Executions[0].ID))
	require.Empty(f, report.Cancel)
	require.Equal(f, now, report.Observed)

	got := f.getTask(task.ID)
	require.Equal(f, plan.NextRun, got.NextRun)
	require.Equal(f, plan.State, got.Plan)
	require.Empty(f, f.planned(10), "the task is due again")
}

func planRoundTrip(f *fixture) {
	sc := f.putSchedule()
	f.putBuiltTask(DueAt(fullTask(sc.ID, f.putTask().ID), Epoch()))
	var want core.Execution
	f.planDue(1, func(now time.Time, d core.DueTask) core.Plan {
		want = core.NewExecution(d.Task, core.TriggerSchedule, Epoch().Add(-time.Second), Epoch().Add(time.Hour), now)
		return core.Plan{State: d.Task.Plan, Executions: []core.Execution{want}}
	})
	requireFilled(f, want.Policy)
	requireSameExecution(f, want, f.get(want.ID))
}

func planDismissed(f *fixture) {
	task := f.putDueTask(Epoch())
	var dismissed []core.Execution
	report := f.planDue(1, func(now time.Time, d core.DueTask) core.Plan {
		for _, s := range []core.Status{core.StatusSkipped, core.StatusMissed} {
			e := core.NewExecution(d.Task, core.TriggerSchedule, now, now, now)
			e.Dismiss(s, "because", now)
			dismissed = append(dismissed, e)
		}
		return core.Plan{NextRun: d.Task.NextRun, State: d.Task.Plan, Executions: dismissed}
	})
	require.ElementsMatch(f, idsOf(dismissed), idsOf(report.Planned))
	for _, e := range dismissed {
		requireSameExecution(f, e, f.get(e.ID))
		_, err := f.Cancel(f.Context(), core.Cancellation{ExecutionID: e.ID})
		requireCode(f, core.CodeConflict, err)
	}
	require.Empty(f, f.look(10).Executions)
	claimed, err := f.Claim(f.Context(), idsOf(dismissed), testOwner, testTTL)
	require.NoError(f, err)
	require.Empty(f, claimed)
	f.planDue(1, func(now time.Time, d core.DueTask) core.Plan {
		require.Zero(f, d.Active, "finished executions count as active")
		return planNothing(now, d)
	})
	require.Nil(f, f.getTask(task.ID).LastRun)
}

func planKeepsVersion(f *fixture) {
	task := f.putDueTask(Epoch())
	f.clock.Advance(time.Minute)
	f.planDue(1, planOnce(time.Hour))
	got := f.getTask(task.ID)
	require.Equal(f, task.Version, got.Version)
	require.Equal(f, task.UpdatedAt, got.UpdatedAt)
}

func planEnds(f *fixture) {
	task := f.putDueTask(Epoch())
	require.Equal(f, 1, f.planDue(10, planNothing).Tasks)
	got := f.getTask(task.ID)
	require.Nil(f, got.NextRun)
	require.True(f, got.Enabled, "a task that has run its course is still enabled")
	f.clock.Advance(1000 * time.Hour)
	require.Zero(f, f.planDue(10, planNothing).Tasks)
}

func planWait(f *fixture) {
	empty := f.planDue(10, planNothing)
	require.Zero(f, empty.Tasks)
	require.Negative(f, empty.Wait)
	require.Equal(f, f.clock.Now(), empty.Observed)

	f.putTask()
	f.putDueTask(Epoch().Add(time.Second), func(s *core.TaskSpec) { s.Enabled = false })
	require.Negative(f, f.planDue(10, planNothing).Wait, "tasks without a next run, or disabled, are waited for")

	f.putDueTask(Epoch().Add(time.Hour))
	f.putDueTask(Epoch().Add(time.Minute))
	require.Equal(f, time.Minute, f.planDue(10, planNothing).Wait)
	f.clock.Advance(20 * time.Second)
	require.Equal(f, 40*time.Second, f.planDue(10, planNothing).Wait)

	f.clock.Advance(2 * time.Hour)
	require.Zero(f, f.planDue(1, planNothing).Wait, "another one is due")
	require.Negative(f, f.planDue(1, planNothing).Wait, "none is left")
}

func planBehind(f *fixture) {
	f.putDueTask(Epoch())
	f.clock.Advance(90 * time.Second)
	require.Zero(f, f.planDue(10, planOnce(time.Minute)).Wait, "the occurrence after a minute is due")
	require.Equal(f, 30*time.Second, f.planDue(10, planOnce(time.Minute)).Wait)
}

func planCancelPrevious(f *fixture) {
	task := f.putDueTask(Epoch(), Overlap(core.OverlapAllow))
	running := f.start(f.put(task))[0]
	pending, queued := f.put(task), f.put(task)
	f.mark(queued)
	retrying := f.settle(f.start(f.put(task))[0], retryLater)
	bystander := f.putRunning()
	now := f.clock.Advance(time.Second)

	report := f.planDue(10, func(at time.Time, d core.DueTask) core.Plan {
		p := planOnce(time.Hour)(at, d)
		p.CancelPrevious = true
		return p
	})
	require.Equal(f, []string{running.ID}, report.Cancel)
	require.Len(f, report.Planned, 1)
	for _, e := range []core.Execution{pending, queued, retrying} {
		requireCancelled(f, f.get(e.ID), "cancelled by the next occurrence", now)
	}
	asked := f.get(running.ID)
	require.Equal(f, core.StatusRunning, asked.Status)
	require.True(f, asked.CancelRequested)
	require.Equal(f, core.StatusPending, f.get(report.Planned[0].ID).Status)
	requireSameExecution(f, bystander, f.get(bystander.ID))
}

func planOccurrenceOnce(f *fixture) {
	task := f.putDueTask(Epoch(), Overlap(core.OverlapAllow))
	again := func(now time.Time, d core.DueTask) core.Plan {
		p := planOnce(time.Hour)(now, d)
		p.NextRun, p.State.NextNominal = d.Task.NextRun, d.Task.Plan.NextNominal // a planner that does not move on
		return p
	}
	require.Len(f, f.planDue(1, again).Planned, 1)
	report := f.planDue(1, again)
	require.Equal(f, 1, report.Tasks)
	require.Empty(f, report.Planned)
	require.Len(f, f.list(core.ExecutionFilter{TaskID: task.ID}, core.Page{Limit: 10}), 1)
}
