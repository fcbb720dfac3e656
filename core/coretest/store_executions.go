package coretest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) create(t *testing.T) {
	s.run(t, "a created execution comes back with every field", createRoundTrip)
	s.run(t, "what is returned and what was given are copies", executionCopies)
	s.run(t, "unknown executions are not found", unknownExecutions)
	s.run(t, "the overlap policy decides", createOverlap)
	s.run(t, "cancel previous ends what is active before", createCancelPrevious)
	s.run(t, "a retry that has not ended is returned instead of a second one", retryDoubleClick)
	s.run(t, "retries of different executions are independent", retriesApart)
	s.run(t, "concurrent retries of one execution make one", retryConcurrently)
	s.run(t, "concurrent creates of a task that skips overlaps make one", createConcurrently)
}

// putFull stores an execution that has every field which a new one can have.
func (f *fixture) putFull() core.Execution {
	f.Helper()
	sc := f.putSchedule()
	task := f.putBuiltTask(fullTask(sc.ID, f.putTask().ID))
	original := core.NewID()
	e := Execution(task, func(e *core.Execution) {
		e.Trigger, e.RetryOf = core.TriggerRetry, &original
		e.Hours = &core.Hours{Windows: task.ExecutionWindows, Calendars: task.Calendars, Timezone: task.Timezone}
		e.NominalTime, e.DueAt = Epoch().Add(-2*time.Microsecond), Epoch().Add(-time.Microsecond)
	})
	created, running, err := f.CreateExecution(f.Context(), e, nil)
	require.NoError(f, err)
	require.Empty(f, running)
	requireSameExecution(f, e, created)
	return e
}

func createRoundTrip(f *fixture) {
	want := f.putFull()
	requireFilled(f, want.Policy)
	requireSameExecution(f, want, f.get(want.ID))
}

func executionCopies(f *fixture) {
	full := f.start(f.putFull())[0]
	f.settle(full, func(now time.Time, e *core.Execution) { fillAttempt(e, core.StatusFailed, now) })
	scribble := func(e core.Execution) {
		*e.StartTime, *e.EndTime, *e.Duration, *e.Error, *e.ErrorCode = time.Time{}, time.Time{}, 0, "scribble", "SCRIBBLE"
		*e.RetryOf, e.Policy.RateLimit.Limit, e.Data[2], e.Result[2] = "scribble", 0, '!', '!'
		*e.Attempts[0].Error, e.Attempts[0].Worker = "scribble", "scribble"
	}
	before := rendered(f, full.ID)
	scribble(f.get(full.ID))
	list, err := f.Executions(f.Context(), core.ExecutionFilter{}, core.Page{Limit: 10})
	require.NoError(f, err)
	scribble(list[0])
	require.Equal(f, before, rendered(f, full.ID))
}

// rendered returns all of an execution that a pointer or a slice leads to as
// text, which shares no memory with the store.
func rendered(f *fixture, id string) string {
	e := f.get(id)
	text, err := json.Marshal([]any{e, e.Policy, e.Data})
	require.NoError(f, err)
	return string(text)
}

func unknownExecutions(f *fixture) {
	f.putFree()
	_, err := f.Execution(f.Context(), core.NewID())
	requireCode(f, core.CodeNotFound, err)
	_, err = f.Execution(f.Context(), "no uuid")
	requireCode(f, core.CodeNotFound, err)
	_, err = f.ExecutionLogs(f.Context(), core.NewID())
	requireCode(f, core.CodeNotFound, err)
}

func createOverlap(f *fixture) {
	for policy, allowed := range map[core.OverlapPolicy]struct{ besideRunning, besideWaiting bool }{
		core.OverlapSkip:     {false, false},
		core.OverlapQueue:    {true, false},
		core.OverlapQueueAll: {true, true},
		core.OverlapAllow:    {true, true},
	} {
		busy := f.putTask(Overlap(policy))
		f.start(f.put(busy))
		f.requireAdmitted(busy, allowed.besideRunning)

		waiting := f.putTask(Overlap(policy))
		f.put(waiting)
		f.requireAdmitted(waiting, allowed.besideWaiting)
	}
}

// requireAdmitted creates one more execution and compares the answer with what
// the policy says.
func (f *fixture) requireAdmitted(t core.Task, want bool) {
	f.Helper()
	e, _, locked := f.CreateExecution(f.Context(), Execution(t), nil)
	if want {
		require.NoError(f, locked, "overlap %s", t.Overlap)
		return
	}
	requireCode(f, core.CodeTaskLocked, locked)
	require.ErrorContains(f, locked, t.Overlap.Admit(core.Active{Running: 1, Waiting: 1}).Reason)
	list, err := f.Executions(f.Context(), core.ExecutionFilter{TaskID: t.ID}, core.Page{Limit: 10})
	require.NoError(f, err)
	require.NotContains(f, idsOf(list), e.ID)
	require.Len(f, list, 1)
	require.ErrorContains(f, locked, list[0].ID, "it says who is in the way")
}

func createCancelPrevious(f *fixture) {
	task := f.putTask(Overlap(core.OverlapCancelPrevious))
	running := f.start(f.put(task))[0]
	now := f.clock.Advance(time.Second)
	second, asked, err := f.CreateExecution(f.Context(), Execution(task), nil)
	require.NoError(f, err)
	require.Equal(f, []string{running.ID}, asked)
	require.True(f, f.get(running.ID).CancelRequested)

	third, asked, err := f.CreateExecution(f.Context(), Execution(task), nil)
	require.NoError(f, err)
	require.Equal(f, []string{running.ID}, asked, "it is asked again")
	requireCancelled(f, f.get(second.ID), "cancelled by the next occurrence", now)
	require.Equal(f, core.StatusPending, f.get(third.ID).Status)
}

// putFailed stores an execution that has failed for good.
func (f *fixture) putFailed(t core.Task) core.Execution {
	f.Helper()
	return f.settle(f.start(f.put(t))[0], failForGood)
}

func (f *fixture) retryOf(e core.Execution) core.Execution {
	f.Helper()
	again, err := core.NewRetry(e, f.clock.Now())
	require.NoError(f, err)
	return again
}

func retryDoubleClick(f *fixture) {
	failed := f.putFailed(f.putTask(Overlap(core.OverlapSkip)))
	first, _, err := f.CreateExecution(f.Context(), f.retryOf(failed), nil)
	require.NoError(f, err)
	require.Equal(f, failed.ID, *first.RetryOf)

	second, running, err := f.CreateExecution(f.Context(), f.retryOf(failed), nil)
	require.ErrorIs(f, err, core.ErrReplayed, "it must not be TASK_LOCKED: the retry itself is what runs")
	require.Empty(f, running)
	requireSameExecution(f, first, second)

	key := &core.Idempotency{Key: "k", Fingerprint: "a"}
	_, _, err = f.CreateExecution(f.Context(), f.retryOf(failed), key)
	require.ErrorIs(f, err, core.ErrReplayed)
	f.settle(f.start(first)[0], failForGood)
	_, _, err = f.CreateExecution(f.Context(), f.retryOf(failed), key)
	require.ErrorIs(f, err, core.ErrReplayed, "the key belongs to the earlier retry")
	third, _, err := f.CreateExecution(f.Context(), f.retryOf(failed), nil)
	require.NoError(f, err, "the earlier retry has ended")
	require.NotEqual(f, first.ID, third.ID)
}

func retriesApart(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	a, b := f.putFailed(task), f.putFailed(task)
	for _, failed := range []core.Execution{a, b} {
		again, _, err := f.CreateExecution(f.Context(), f.retryOf(failed), nil)
		require.NoError(f, err)
		require.Equal(f, failed.ID, *again.RetryOf)
	}
}

func retryConcurrently(f *fixture) {
	failed := f.putFailed(f.putTask(Overlap(core.OverlapAllow)))
	retries := make([]core.Execution, hammerers)
	for i := range retries {
		retries[i] = f.retryOf(failed)
	}
	errs := make([]error, hammerers)
	together(hammerers, func(i int) {
		retries[i], _, errs[i] = f.CreateExecution(f.Context(), retries[i], nil)
	})
	made := 0
	for i, err := range errs {
		require.Equal(f, retries[0].ID, retries[i].ID)
		if err == nil {
			made++
			continue
		}
		require.ErrorIs(f, err, core.ErrReplayed)
	}
	require.Equal(f, 1, made)
}

func createConcurrently(f *fixture) {
	task := f.putTask(Overlap(core.OverlapSkip))
	errs := make([]error, hammerers)
	together(hammerers, func(i int) {
		_, _, errs[i] = f.CreateExecution(f.Context(), Execution(task), nil)
	})
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		requireCode(f, core.CodeTaskLocked, err)
	}
	require.Equal(f, 1, made)
}
