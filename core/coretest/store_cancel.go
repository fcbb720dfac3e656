package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) cancel(t *testing.T) {
	s.run(t, "waiting executions of a task end and running ones are asked to", cancelTask)
	s.run(t, "cancelling what is not known is not found", cancelUnknown)
	s.run(t, "a waiting execution ends", cancelWaiting)
	s.run(t, "a running execution is asked to end, as often as one likes", cancelRunning)
	s.run(t, "an execution that has ended cannot be cancelled", cancelFinal)
	s.run(t, "a once task that is not yet due is disabled", cancelOnce)
	s.run(t, "a task that comes again or is disabled stays as it is", cancelKeepsTask)
	s.run(t, "cancelling and finishing at once leaves one final state", cancelAgainstFinish)
}

func (f *fixture) cancelNow(c core.Cancellation) core.CancelReport {
	f.Helper()
	c.Reason = "not needed"
	report, err := f.Cancel(f.Context(), c)
	require.NoError(f, err)
	return report
}

func cancelTask(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	finished := f.putFinished(task)
	running := []core.Execution{f.start(f.put(task))[0], f.start(f.put(task))[0]}
	pending, queued := f.put(task), f.put(task)
	f.mark(queued)
	retrying := f.settle(f.start(f.put(task))[0], retryLater)
	bystander := f.putFree()
	now := f.clock.Advance(time.Second)

	report := f.cancelNow(core.Cancellation{TaskID: task.ID})
	require.ElementsMatch(f, idsOf(running), report.Running)
	require.ElementsMatch(f, idsOf([]core.Execution{pending, queued, retrying}), idsOf(report.Cancelled))
	require.False(f, report.Disabled)
	for _, e := range report.Cancelled {
		requireCancelled(f, e, "not needed", now)
		requireSameExecution(f, e, f.get(e.ID))
	}
	for _, e := range running {
		e.CancelRequested = true
		requireSameExecution(f, e, f.get(e.ID))
	}
	requireSameExecution(f, finished, f.get(finished.ID))
	requireSameExecution(f, bystander, f.get(bystander.ID))
	require.Equal(f, []string{bystander.ID}, readyIDsOf(f.look(10)))

	again := f.cancelNow(core.Cancellation{TaskID: task.ID})
	require.Empty(f, again.Cancelled, "they have ended already")
}

func cancelUnknown(f *fixture) {
	f.putFree()
	_, err := f.Cancel(f.Context(), core.Cancellation{TaskID: core.NewID()})
	requireCode(f, core.CodeNotFound, err)
	_, err = f.Cancel(f.Context(), core.Cancellation{ExecutionID: core.NewID()})
	requireCode(f, core.CodeNotFound, err)
}

func cancelWaiting(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	wanted, other := f.put(task), f.put(task)
	now := f.clock.Advance(time.Second)
	report := f.cancelNow(core.Cancellation{ExecutionID: wanted.ID})
	require.Equal(f, []string{wanted.ID}, idsOf(report.Cancelled))
	require.Empty(f, report.Running)
	requireCancelled(f, f.get(wanted.ID), "not needed", now)
	requireSameExecution(f, other, f.get(other.ID))

	claimed, err := f.Claim(f.Context(), []string{wanted.ID}, testOwner, testTTL)
	require.NoError(f, err)
	require.Empty(f, claimed, "a cancelled execution started")
}

func cancelRunning(f *fixture) {
	running := f.putRunning()
	for range 2 {
		report := f.cancelNow(core.Cancellation{ExecutionID: running.ID})
		require.Equal(f, []string{running.ID}, report.Running)
		require.Empty(f, report.Cancelled)
	}
	running.CancelRequested = true
	requireSameExecution(f, running, f.get(running.ID))
}

func cancelFinal(f *fixture) {
	ended := f.putFinished(f.putTask())
	_, err := f.Cancel(f.Context(), core.Cancellation{ExecutionID: ended.ID, Reason: "too late"})
	requireCode(f, core.CodeConflict, err)
	requireSameExecution(f, ended, f.get(ended.ID))
}

// once is an option of Task: a task for one instant.
func once(at time.Time) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ScheduleType, s.RunAt = core.ScheduleOnce, &at }
}

func cancelOnce(f *fixture) {
	at := Epoch().Add(time.Hour)
	task := f.putDueTask(at, once(at))
	overdue := f.putDueTask(Epoch(), once(Epoch()))
	require.True(f, f.cancelNow(core.Cancellation{TaskID: overdue.ID}).Disabled, "it is due and not planned yet")
	waiting := f.put(task)
	now := f.clock.Advance(time.Second)

	report := f.cancelNow(core.Cancellation{TaskID: task.ID})
	require.True(f, report.Disabled)
	require.Equal(f, []string{waiting.ID}, idsOf(report.Cancelled))
	got := f.getTask(task.ID)
	require.False(f, got.Enabled)
	require.Nil(f, got.NextRun)
	require.Equal(f, task.Version+1, got.Version)
	require.Equal(f, now, got.UpdatedAt)

	f.clock.Advance(2 * time.Hour)
	require.Zero(f, f.planDue(10, planNothing).Tasks)
	require.False(f, f.cancelNow(core.Cancellation{TaskID: task.ID}).Disabled, "it was disabled before")
}

func cancelKeepsTask(f *fixture) {
	recurring := f.putDueTask(Epoch().Add(time.Hour))
	later := Epoch().Add(time.Hour)
	disabled := f.putDueTask(later, once(later), func(s *core.TaskSpec) { s.Enabled = false })
	e := f.put(recurring)
	for _, task := range []core.Task{recurring, disabled} {
		require.False(f, f.cancelNow(core.Cancellation{TaskID: task.ID}).Disabled)
		requireSameTask(f, task, f.getTask(task.ID))
	}
	require.Equal(f, core.StatusCancelled, f.get(e.ID).Status)

	other := f.putDueTask(later, once(later))
	f.cancelNow(core.Cancellation{ExecutionID: f.put(other).ID})
	requireSameTask(f, other, f.getTask(other.ID))
}

func cancelAgainstFinish(f *fixture) {
	for range 10 {
		running := f.putRunning()
		var done []core.Finished
		var report core.CancelReport
		var finishErr, cancelErr error
		together(2, func(i int) {
			if i == 0 {
				done, finishErr = f.Finish(f.Context(), []core.Completion{completion(running, succeed)})
				return
			}
			report, cancelErr = f.Cancel(f.Context(), core.Cancellation{ExecutionID: running.ID})
		})
		require.NoError(f, finishErr)
		require.True(f, done[0].Applied, "a cancellation takes nobody's lease")
		if cancelErr != nil {
			requireCode(f, core.CodeConflict, cancelErr)
		} else {
			require.Equal(f, []string{running.ID}, report.Running)
		}
		got := f.get(running.ID)
		require.Equal(f, core.StatusSucceeded, got.Status)
		require.Len(f, got.Attempts, 1)
		require.Equal(f, []string{got.ID}, f.list(core.ExecutionFilter{TaskID: got.TaskID}, core.Page{Limit: 10}))
	}
}
