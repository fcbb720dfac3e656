package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) dependencies(t *testing.T) {
	s.run(t, "a task cannot depend on an unknown one", dependsOnUnknown)
	s.run(t, "dependencies cannot lead back to the task", dependencyCycle)
	s.run(t, "a task that others depend on is not deleted", dependencyDeleted)
	s.run(t, "the ends of tasks are known", dependencyStates)
	s.run(t, "the ends of tasks are known when their history is gone", dependencyRemembered)
	s.run(t, "what is skipped because of a dependency has failed for those after it", dependencySkipCounts)
	s.run(t, "an execution that waits is neither ready nor claimed until it is let go", judgeOpens)
	s.run(t, "verdicts end executions", judgeEnds)
	s.run(t, "it is looked at when a dependency ends and when patience ends, not between", judgeWakes)
	s.run(t, "the end of a task brings up those that run after it", dependentsComeUp)
	s.run(t, "the planner gets the ends of the tasks that a due one depends on", plannerDependencies)
}

// After is an option of Task: the tasks it depends on.
func After(tasks ...core.Task) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) {
		for _, t := range tasks {
			s.DependsOn = append(s.DependsOn, t.ID)
		}
	}
}

func following(s *core.TaskSpec) { s.ScheduleType = core.ScheduleDependency }

func dependsOnUnknown(f *fixture) {
	_, err := f.CreateTask(f.Context(), Task(After(Task())), nil)
	requireCode(f, core.CodeValidationFailed, err)
	task := f.putTask()
	_, err = f.UpdateTask(f.Context(), task.ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
		t.DependsOn = []string{core.NewID()}
		return t, nil
	})
	requireCode(f, core.CodeValidationFailed, err)
	requireSameTask(f, task, f.getTask(task.ID))
}

func dependencyCycle(f *fixture) {
	a := f.putTask()
	b := f.putTask(After(a))
	c := f.putTask(After(a, b))
	depend := func(on core.Task, t core.Task) error {
		_, err := f.UpdateTask(f.Context(), t.ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
			t.DependsOn = []string{on.ID}
			return t, nil
		})
		return err
	}
	requireCode(f, core.CodeValidationFailed, depend(c, a))
	requireCode(f, core.CodeValidationFailed, depend(a, a))
	require.Empty(f, f.getTask(a.ID).DependsOn)
	require.NoError(f, depend(a, c))
	require.NoError(f, depend(c, b), "b no longer leads to c")
}

func dependencyDeleted(f *fixture) {
	a := f.putTask()
	b := f.putTask(After(a))
	_, err := f.DeleteTask(f.Context(), a.ID, core.AnyVersion)
	requireCode(f, core.CodeConflict, err)
	_, err = f.DeleteTask(f.Context(), b.ID, core.AnyVersion)
	require.NoError(f, err)
	_, err = f.DeleteTask(f.Context(), a.ID, core.AnyVersion)
	require.NoError(f, err)
}

func (f *fixture) states(ids ...string) []core.DependencyState {
	f.Helper()
	states, err := f.Dependencies(f.Context(), ids)
	require.NoError(f, err)
	return states
}

func dependencyStates(f *fixture) {
	a, b := f.putTask(Named("a"), Overlap(core.OverlapAllow)), f.putTask(Named("b"))
	require.Equal(f, []core.DependencyState{{TaskID: b.ID, Name: "b"}, {TaskID: a.ID, Name: "a"}}, f.states(b.ID, core.NewID(), a.ID))
	f.putFinished(a)
	succeeded := f.clock.Now()
	f.clock.Advance(time.Minute)
	f.fails(a)
	f.fails(b)
	failed := f.clock.Now()
	require.Equal(f, []core.DependencyState{
		{TaskID: a.ID, Name: "a", Succeeded: succeeded, Failed: failed}, {TaskID: b.ID, Name: "b", Failed: failed},
	}, f.states(a.ID, b.ID))
}

// dependencySkipCounts skips executions for all reasons there are, at planning
// and while they wait; only those of their dependencies go down the chain.
func dependencySkipCounts(f *fixture) {
	first := f.putTask(Named("first"))
	planned := f.putDueTask(Epoch(), Named("planned"), After(first))
	overlapped := f.putDueTask(Epoch(), Named("overlapped"))
	after := f.putTask(following, After(planned))
	undisturbed := f.putTask(following, After(overlapped))
	now := f.clock.Advance(time.Minute)
	f.planDue(10, func(now time.Time, d core.DueTask) core.Plan {
		e := core.NewExecution(d.Task, core.TriggerSchedule, now, now, now)
		switch d.Task.ID {
		case planned.ID:
			e.Settle(core.Verdict{Ruling: core.RulingSkip, Reason: "first failed"}, now)
		case overlapped.ID:
			e.Dismiss(core.StatusSkipped, "the previous execution has not ended", now)
		}
		return core.Plan{State: d.Task.Plan, Executions: []core.Execution{e}}
	})
	require.Equal(f, []core.DependencyState{
		{TaskID: planned.ID, Name: "planned", Failed: now}, {TaskID: overlapped.ID, Name: "overlapped"},
	}, f.states(planned.ID, overlapped.ID))
	require.Equal(f, now, *f.getTask(after.ID).NextRun, "those after it are looked at")
	require.Nil(f, f.getTask(undisturbed.ID).NextRun)

	f.clock.Advance(2 * time.Hour)
	require.Positive(f, f.prune(core.Retention{History: time.Hour}, 100))
	require.Equal(f, now, f.states(planned.ID)[0].Failed, "also when the history is gone")

	waiting := f.putAwaiting(nil, first)
	now = f.clock.Advance(time.Minute)
	require.Len(f, f.judgeAll(ruling(core.RulingSkip)).Changed, 1)
	require.Equal(f, now, f.states(waiting.TaskID)[0].Failed)
}

// putAwaiting plans an execution of a task that waits for others.
func (f *fixture) putAwaiting(until *time.Time, on ...core.Task) core.Execution {
	f.Helper()
	task := f.putDueTask(f.clock.Now(), After(on...))
	f.planDue(100, func(now time.Time, d core.DueTask) core.Plan {
		p := core.Plan{State: d.Task.Plan}
		if d.Task.ID == task.ID {
			e := core.NewExecution(d.Task, core.TriggerSchedule, now, now, now)
			e.Awaits = &core.Awaited{Tasks: d.Task.DependsOn, Since: now, Until: until}
			p.Executions = []core.Execution{e}
		}
		return p
	})
	all, err := f.Executions(f.Context(), core.ExecutionFilter{TaskID: task.ID}, core.Page{Limit: 1})
	require.NoError(f, err)
	require.Len(f, all, 1)
	return all[0]
}

func (f *fixture) judgeAll(rule func(core.Execution, []core.DependencyState) core.Verdict) core.JudgeReport {
	f.Helper()
	report, err := f.Judge(f.Context(), 100, func(_ time.Time, e core.Execution, states []core.DependencyState) core.Verdict {
		return rule(e, states)
	})
	require.NoError(f, err)
	return report
}

func ruling(r core.Ruling) func(core.Execution, []core.DependencyState) core.Verdict {
	return func(core.Execution, []core.DependencyState) core.Verdict {
		return core.Verdict{Ruling: r, Reason: "because"}
	}
}

func judgeOpens(f *fixture) {
	dependency := f.putTask(Named("first"))
	e := f.putAwaiting(nil, dependency)
	require.NotNil(f, e.Awaits)
	require.Empty(f, f.readyIDs())
	claimed, err := f.Claim(f.Context(), []string{e.ID}, testOwner, testTTL)
	require.NoError(f, err)
	require.Empty(f, claimed)

	report := f.judgeAll(func(got core.Execution, states []core.DependencyState) core.Verdict {
		requireSameExecution(f, e, got)
		require.Equal(f, []core.DependencyState{{TaskID: dependency.ID, Name: "first"}}, states)
		return core.Verdict{Ruling: core.RulingOpen}
	})
	require.Equal(f, []string{e.ID}, idsOf(report.Changed))
	require.Negative(f, report.Wait)
	require.Nil(f, f.get(e.ID).Awaits)
	require.Equal(f, []string{e.ID}, f.readyIDs())
}

func judgeEnds(f *fixture) {
	dependency := f.putTask()
	for r, want := range map[core.Ruling]core.Status{core.RulingFail: core.StatusFailed, core.RulingSkip: core.StatusSkipped} {
		e := f.putAwaiting(nil, dependency)
		report := f.judgeAll(ruling(r))
		require.Equal(f, []string{e.ID}, idsOf(report.Changed))
		got := f.get(e.ID)
		require.Equal(f, want, got.Status)
		require.Equal(f, "because", *got.Error)
		require.Nil(f, got.Awaits)
		require.Equal(f, core.CodeDependencyFailed, *got.ErrorCode)
	}
}

func judgeWakes(f *fixture) {
	dependency := f.putTask(Overlap(core.OverlapAllow))
	until := f.clock.Now().Add(time.Hour)
	e := f.putAwaiting(&until, dependency)
	looks := 0
	look := func() core.JudgeReport {
		return f.judgeAll(func(core.Execution, []core.DependencyState) core.Verdict {
			looks++
			return core.Verdict{Ruling: core.RulingWait}
		})
	}
	require.Equal(f, time.Hour, look().Wait)
	require.Equal(f, 1, looks)
	look()
	require.Equal(f, 1, looks, "nothing has happened")
	f.putFinished(f.putTask())
	look()
	require.Equal(f, 1, looks, "it does not wait for that one")
	f.putFinished(dependency)
	look()
	require.Equal(f, 2, looks)
	f.clock.Set(until)
	look()
	require.Equal(f, 3, looks)
	f.cancelNow(core.Cancellation{ExecutionID: e.ID})
	require.Negative(f, look().Wait)
}

func dependentsComeUp(f *fixture) {
	dependency := f.putTask(Overlap(core.OverlapAllow))
	dependent := f.putTask(following, After(dependency))
	disabled := f.putTask(following, After(dependency), func(s *core.TaskSpec) { s.Enabled = false })
	scheduled := f.putDueTask(Epoch().Add(time.Hour), After(dependency))
	require.Nil(f, f.getTask(dependent.ID).NextRun)
	for _, end := range []func(core.Task){f.fails, func(t core.Task) { f.putFinished(t) }} {
		now := f.clock.Advance(time.Minute)
		end(dependency)
		require.Equal(f, now, *f.getTask(dependent.ID).NextRun)
	}
	require.Nil(f, f.getTask(disabled.ID).NextRun)
	require.Equal(f, Epoch().Add(time.Hour), *f.getTask(scheduled.ID).NextRun)
	f.planDue(10, planNothing)
	now := f.clock.Advance(time.Minute)
	waiting := f.put(dependency)
	f.cancelNow(core.Cancellation{ExecutionID: waiting.ID})
	require.Equal(f, now, *f.getTask(dependent.ID).NextRun, "a cancelled execution has ended too")
}

func plannerDependencies(f *fixture) {
	dependency := f.putTask(Named("first"))
	f.putFinished(dependency)
	task := f.putDueTask(Epoch(), After(dependency))
	seen := 0
	f.planDue(10, func(_ time.Time, d core.DueTask) core.Plan {
		if d.Task.ID == task.ID {
			seen++
			require.Equal(f, []core.DependencyState{{TaskID: dependency.ID, Name: "first", Succeeded: f.clock.Now()}}, d.Dependencies)
			since := Epoch()
			d.Task.Plan.Since = &since
		}
		return core.Plan{State: d.Task.Plan}
	})
	require.Equal(f, 1, seen)
	require.Equal(f, Epoch(), *f.getTask(task.ID).Plan.Since)
}

func dependencyRemembered(f *fixture) {
	for name, keep := range map[string]core.Retention{"by count": {HistoryPerTask: 1}, "by age": {History: time.Hour}} {
		task := f.putTask(Named(name))
		f.putTask(After(task))
		f.clock.Advance(time.Minute)
		f.putFinished(task)
		f.clock.Advance(time.Minute)
		f.fails(task)
		before := f.states(task.ID)
		require.False(f, before[0].Succeeded.IsZero())
		f.clock.Advance(time.Second)
		last := f.put(task)
		_, err := f.Cancel(f.Context(), core.Cancellation{ExecutionID: last.ID, Reason: "test"})
		require.NoError(f, err)
		before = f.states(task.ID)
		if keep.History > 0 {
			f.clock.Advance(2 * time.Hour)
		}
		require.Positive(f, f.prune(keep, 100), name)
		require.Equal(f, before, f.states(task.ID), name)
		_, err = f.DeleteTask(f.Context(), f.dependents(task.ID)[0], core.AnyVersion)
		require.NoError(f, err)
		_, err = f.DeleteTask(f.Context(), task.ID, core.AnyVersion)
		require.NoError(f, err, "what is remembered goes with the task")
	}
}

// dependents lists the tasks that depend on one.
func (f *fixture) dependents(id string) []string {
	f.Helper()
	all, err := f.Tasks(f.Context(), core.TaskFilter{}, core.Page{Limit: 100})
	require.NoError(f, err)
	var ids []string
	for _, t := range all {
		if len(t.DependsOn) > 0 && t.DependsOn[0] == id {
			ids = append(ids, t.ID)
		}
	}
	return ids
}
