package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) markQueued(t *testing.T) {
	s.run(t, "pending and retrying executions are marked, once", markWaiting)
	s.run(t, "what has changed meanwhile is left alone", markOthers)
	s.run(t, "a deferred execution stays as it is and comes later", markDeferred)
	s.run(t, "no marks, no work", markNothing)
	s.run(t, "what the queue did not take is pending again", unqueue)
	s.run(t, "what the queue has lost is pending again", unqueueStale)
	s.run(t, "what the queue of a type has lost is pending again", unqueueStaleTypes)
	s.run(t, "what was marked in the future is pending again", unqueueFuture)
}

func (f *fixture) tryMark(marks ...core.QueueMark) []string {
	f.Helper()
	marked, err := f.MarkQueued(f.Context(), marks)
	require.NoError(f, err)
	return marked
}

func markWaiting(f *fixture) {
	pending := f.putFree()
	retrying := f.settle(f.putRunning(), retryLater)
	require.ElementsMatch(f, []string{pending.ID, retrying.ID},
		f.tryMark(core.QueueMark{ID: pending.ID}, core.QueueMark{ID: retrying.ID}))

	for _, e := range []core.Execution{pending, retrying} {
		e.Status = core.StatusQueued
		requireSameExecution(f, e, f.get(e.ID))
	}
	require.Empty(f, f.tryMark(core.QueueMark{ID: pending.ID}), "it is queued already")
}

func markOthers(f *fixture) {
	running, finished := f.putRunning(), f.putFinished(f.putTask())
	later := Epoch().Add(time.Hour)
	require.Empty(f, f.tryMark(
		core.QueueMark{ID: running.ID}, core.QueueMark{ID: finished.ID}, core.QueueMark{ID: core.NewID()},
		core.QueueMark{ID: running.ID, DeferTo: later}, core.QueueMark{ID: finished.ID, DeferTo: later},
	))
	requireSameExecution(f, running, f.get(running.ID))
	requireSameExecution(f, finished, f.get(finished.ID))

	fresh := f.putFree()
	require.Equal(f, []string{fresh.ID}, f.tryMark(core.QueueMark{ID: running.ID}, core.QueueMark{ID: fresh.ID}))
}

func markDeferred(f *fixture) {
	pending := f.putFree()
	retrying := f.settle(f.putRunning(), retryLater)
	later := Epoch().Add(time.Minute)
	require.ElementsMatch(f, []string{pending.ID, retrying.ID},
		f.tryMark(core.QueueMark{ID: pending.ID, DeferTo: later}, core.QueueMark{ID: retrying.ID, DeferTo: later}))

	for _, e := range []core.Execution{pending, retrying} {
		e.DueAt = later
		requireSameExecution(f, e, f.get(e.ID))
	}
	report := f.look(10)
	require.Empty(f, report.Executions)
	require.Equal(f, time.Minute, report.Wait)
	claimed, err := f.Claim(f.Context(), []string{pending.ID}, testOwner, testTTL)
	require.NoError(f, err)
	require.Empty(f, claimed, "it started early")
	f.clock.Set(later)
	require.ElementsMatch(f, []string{pending.ID, retrying.ID}, f.readyIDs())
}

func markNothing(f *fixture) {
	require.Empty(f, f.tryMark())
}

func unqueue(f *fixture) {
	queued, other, running := f.putFree(), f.putFree(), f.putRunning()
	f.mark(queued, other)
	require.NoError(f, f.Unqueue(f.Context(), []string{queued.ID, running.ID, core.NewID()}))
	require.Equal(f, core.StatusPending, f.get(queued.ID).Status)
	require.Equal(f, core.StatusQueued, f.get(other.ID).Status)
	requireSameExecution(f, running, f.get(running.ID))
	require.Equal(f, []string{queued.ID}, f.readyIDs())
	require.NoError(f, f.Unqueue(f.Context(), nil))
}

func unqueueStale(f *fixture) {
	old, older, claimed := f.putFree(), f.putFree(), f.putFree()
	f.mark(old, older, claimed)
	f.start(claimed)
	f.clock.Advance(time.Minute)
	young := f.putFree()
	f.mark(young)
	f.clock.Advance(time.Second)
	sweep := func(limit int) int {
		n, err := f.UnqueueStale(f.Context(), nil, time.Minute, limit)
		require.NoError(f, err)
		return n
	}
	require.Equal(f, 1, sweep(1))
	require.Equal(f, 1, sweep(10))
	require.Zero(f, sweep(10))
	require.ElementsMatch(f, []string{old.ID, older.ID}, f.readyIDs())
	require.Equal(f, core.StatusQueued, f.get(young.ID).Status)
}

func unqueueStaleTypes(f *fixture) {
	ours := f.putFree()
	f.mark(ours)
	f.clock.Advance(time.Minute)
	sweep := func(types ...string) int {
		n, err := f.UnqueueStale(f.Context(), types, time.Second, 10)
		require.NoError(f, err)
		return n
	}
	require.Zero(f, sweep("another", "third"))
	require.Equal(f, 1, sweep("another", ours.Type))
	require.Equal(f, []string{ours.ID}, f.readyIDs())
}

func unqueueFuture(f *fixture) {
	f.clock.Advance(time.Hour)
	queued := f.put(f.putTask(), from(Epoch()))
	f.mark(queued)
	sweep := func() int {
		n, err := f.UnqueueStale(f.Context(), nil, time.Minute, 10)
		require.NoError(f, err)
		return n
	}
	f.clock.Set(f.clock.Now().Add(-core.MarkedAhead))
	require.Zero(f, sweep(), "two transactions may be so far apart")
	f.clock.Set(f.clock.Now().Add(-time.Microsecond))
	require.Equal(f, 1, sweep())
	require.Equal(f, []string{queued.ID}, f.readyIDs())
}
