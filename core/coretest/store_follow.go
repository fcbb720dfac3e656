package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) follow(t *testing.T) {
	s.run(t, "failures in a row pause a task that asks for it", failuresPause)
	s.run(t, "a success in between starts the count anew", successResets)
	s.run(t, "lost leases count as failures", lostLeasePauses)
	s.run(t, "failures of dependencies do not count", dependencyFailuresIgnored)
	s.run(t, "a task that does not ask for it goes on", failuresIgnored)
	s.run(t, "the occurrences that were executed are known", occurred)
}

// fails runs an execution of the task that fails for good.
func (f *fixture) fails(task core.Task) { f.settle(f.start(f.put(task))[0], failForGood) }

func pauseAfter(n int) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.PauseAfterFailures, s.Overlap = n, core.OverlapAllow }
}

func failuresPause(f *fixture) {
	task := f.putDueTask(Epoch().Add(time.Hour), pauseAfter(2))
	f.fails(task)
	got := f.getTask(task.ID)
	require.Equal(f, 1, got.Plan.Failures)
	require.Nil(f, got.PauseReason)
	f.clock.Advance(time.Second)
	f.fails(task)
	got = f.getTask(task.ID)
	require.NotNil(f, got.PauseReason)
	require.Contains(f, *got.PauseReason, "no use", "the reason has the last error")
	require.Nil(f, got.NextRun)
	require.Equal(f, task.Plan.NextNominal, got.Plan.NextNominal, "nothing is forgotten")
	require.Greater(f, got.Version, task.Version)
	f.clock.Advance(2 * time.Hour)
	require.Zero(f, f.planDue(10, planNothing).Tasks)

	both := f.putDueTask(Epoch().Add(100*time.Hour), pauseAfter(2))
	running := f.start(f.put(both), f.put(both))
	done, err := f.Finish(f.Context(), []core.Completion{completion(running[0], failForGood), completion(running[1], failForGood)})
	require.NoError(f, err)
	require.Len(f, done, 2)
	require.NotNil(f, f.getTask(both.ID).PauseReason, "two in one step count as two")
}

func successResets(f *fixture) {
	task := f.putTask(pauseAfter(2))
	f.fails(task)
	f.putFinished(task)
	f.fails(task)
	got := f.getTask(task.ID)
	require.Nil(f, got.PauseReason)
	require.Equal(f, 1, got.Plan.Failures)
	f.settle(f.start(f.put(task))[0], retryLater)
	require.Equal(f, 1, f.getTask(task.ID).Plan.Failures, "an attempt that is retried has not failed yet")
}

func lostLeasePauses(f *fixture) {
	task := f.putTask(pauseAfter(1), func(s *core.TaskSpec) { s.Delivery = core.AtMostOnce })
	f.start(f.put(task))
	f.clock.Advance(testTTL + time.Second)
	_, err := f.Reap(f.Context(), 10, loseLease)
	require.NoError(f, err)
	require.NotNil(f, f.getTask(task.ID).PauseReason)
}

func dependencyFailuresIgnored(f *fixture) {
	first := f.putTask()
	task := f.putTask(pauseAfter(1), After(first))
	f.put(task, func(e *core.Execution) { e.Awaits = &core.Awaited{Tasks: []string{first.ID}, Since: Epoch()} })
	f.fails(first)
	report := f.judgeAll(ruling(core.RulingFail))
	require.Len(f, report.Changed, 1)
	require.Equal(f, core.CodeDependencyFailed, *report.Changed[0].ErrorCode)
	require.Nil(f, f.getTask(task.ID).PauseReason)
	require.Zero(f, f.getTask(task.ID).Plan.Failures)
}

func failuresIgnored(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	for range 5 {
		f.fails(task)
	}
	requireSameTask(f, f.getTask(task.ID), f.getTask(task.ID))
	require.Nil(f, f.getTask(task.ID).PauseReason)
	require.Zero(f, f.getTask(task.ID).Plan.Failures)
	gone := f.putTask(pauseAfter(1))
	running := f.start(f.put(gone))[0]
	_, err := f.DeleteTask(f.Context(), gone.ID, core.AnyVersion)
	require.NoError(f, err)
	f.settle(running, failForGood) // its task is gone: nothing to pause, and no error
}

func occurred(f *fixture) {
	task, other := f.putTask(Overlap(core.OverlapAllow)), f.putTask()
	at := func(d time.Duration) func(*core.Execution) {
		return func(e *core.Execution) { e.NominalTime = Epoch().Add(d) }
	}
	succeeded := Epoch().Add(time.Microsecond)
	f.settle(f.start(f.put(task, at(time.Microsecond)))[0], succeed)
	f.settle(f.start(f.put(task, at(time.Second)))[0], failForGood)
	f.put(task, at(time.Minute))
	f.put(task, at(time.Hour))
	f.put(other, at(time.Minute))
	got, err := f.Occurred(f.Context(), task.ID, succeeded, Epoch().Add(time.Hour))
	require.NoError(f, err)
	require.Equal(f, map[time.Time]core.Status{
		succeeded: core.StatusSucceeded, Epoch().Add(time.Minute): core.StatusPending,
	}, got)
}
