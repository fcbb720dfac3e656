package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) claim(t *testing.T) {
	s.run(t, "a claim starts an attempt under a lease", claimStarts)
	s.run(t, "pending, queued and retrying executions can be claimed", claimWaiting)
	s.run(t, "what does not wait or is not due is left out", claimOthers)
	s.run(t, "a clock that is set back makes what was queued wait again", claimClockBack)
	s.run(t, "every claim has a greater token than those before", claimTokens)
	s.run(t, "an execution that is named twice starts once", claimTwice)
	s.run(t, "the next of an exclusive task goes back to pending", claimExclusive)
	s.run(t, "executions of a task that allows overlaps start together", claimAllow)
	s.run(t, "a concurrency key has so many slots", claimKey)
	s.run(t, "a gate opens when an attempt ends, however it ends", claimGateOpens)
	s.run(t, "no ids, no claims", claimNothing)
}

// tryClaim claims executions and returns those that started.
func (f *fixture) tryClaim(es ...core.Execution) []core.Execution {
	f.Helper()
	claimed, err := f.Claim(f.Context(), idsOf(es), testOwner, testTTL)
	require.NoError(f, err)
	return claimed
}

func claimStarts(f *fixture) {
	task := f.putTask()
	e := f.put(task)
	now := f.clock.Advance(time.Second)
	claimed, err := f.Claim(f.Context(), []string{e.ID}, "node-b", time.Minute)
	require.NoError(f, err)
	require.Len(f, claimed, 1)

	require.Positive(f, claimed[0].Token)
	want := e
	require.NoError(f, want.Start("node-b", claimed[0].Token, now, now.Add(time.Minute)))
	requireSameExecution(f, want, claimed[0])
	requireSameExecution(f, want, f.get(e.ID))
	requireSameTask(f, withLastRun(task, now), f.getTask(task.ID))
}

func claimWaiting(f *fixture) {
	pending, queued := f.putFree(), f.putFree()
	f.mark(queued)
	retrying := f.settle(f.putRunning(), retryLater)
	f.clock.Set(retrying.DueAt)
	claimed := f.start(pending, queued, retrying)
	for _, e := range claimed {
		require.Equal(f, core.StatusRunning, e.Status)
	}
	again := f.get(retrying.ID)
	require.Equal(f, 2, again.Attempt)
	require.Equal(f, Epoch(), *again.StartTime, "the start of the first attempt")
	require.Equal(f, retrying.DueAt, again.AttemptStart)
	require.Len(f, again.Attempts, 1)
}

func claimOthers(f *fixture) {
	running, finished := f.putRunning(), f.putFinished(f.putTask())
	early := f.putFree(from(Epoch().Add(time.Microsecond)))
	require.Empty(f, f.tryClaim(running, finished, early, core.Execution{ID: core.NewID()}))
	for _, e := range []core.Execution{running, finished, early} {
		requireSameExecution(f, e, f.get(e.ID))
	}
	fresh := f.putFree()
	require.Equal(f, []string{fresh.ID}, idsOf(f.tryClaim(running, fresh, early)))
}

// claimClockBack queues an execution that is no longer due when a worker asks
// for it. As long as it is queued it holds its slots, and nobody offers it again.
func claimClockBack(f *fixture) {
	for _, back := range []time.Duration{200 * time.Millisecond, time.Hour} {
		due := f.clock.Advance(2 * time.Hour)
		slot := Slots("key of "+back.String(), 1)
		queued := f.put(f.putTask(slot), from(due))
		f.mark(queued)
		f.clock.Set(due.Add(-back))
		require.Empty(f, f.tryClaim(queued))
		queued.Status = core.StatusPending
		requireSameExecution(f, queued, f.get(queued.ID))
		require.Equal(f, back, f.look(10).Wait)

		other := f.put(f.putTask(slot), from(f.clock.Now()))
		require.Equal(f, []string{other.ID}, f.readyIDs(), "its slot is free")
		f.settle(f.start(other)[0], succeed)
		f.clock.Set(due)
		require.Equal(f, []string{queued.ID}, f.readyIDs())
		f.settle(f.start(queued)[0], succeed)
	}
}

func claimTokens(f *fixture) {
	highest := int64(0)
	e := f.putFree()
	for range 3 {
		claimed := f.start(f.putFree(), e, f.putFree())
		seen := map[int64]bool{}
		for _, c := range claimed {
			require.Greater(f, c.Token, highest)
			require.False(f, seen[c.Token], "two claims share a token")
			seen[c.Token] = true
		}
		for token := range seen {
			highest = max(highest, token)
		}
		e = f.settle(f.get(e.ID), func(now time.Time, e *core.Execution) { e.HandBack(now) })
	}
}

func claimTwice(f *fixture) {
	e := f.putFree()
	claimed := f.tryClaim(e, e)
	require.Len(f, claimed, 1)
	require.Equal(f, 1, f.get(e.ID).Attempt)
}

func claimExclusive(f *fixture) {
	for _, policy := range []core.OverlapPolicy{core.OverlapQueue, core.OverlapQueueAll} {
		task := f.putTask(Overlap(policy))
		first := f.start(f.put(task))[0]
		next := f.put(task)
		f.mark(next)
		require.Empty(f, f.tryClaim(next))
		requireSameExecution(f, next, f.get(next.ID)) // pending, as it was made
		f.settle(first, succeed)
		f.start(next)
	}
	task := f.putTask(Overlap(core.OverlapQueueAll))
	es := []core.Execution{f.put(task), f.put(task), f.put(task)}
	f.mark(es...)
	claimed := f.tryClaim(es[2], es[1], es[0])
	require.Equal(f, []string{es[0].ID}, idsOf(claimed), "in one claim, too; the first in line wins")
	require.Len(f, f.list(core.ExecutionFilter{TaskID: task.ID, Statuses: []core.Status{core.StatusPending}}, core.Page{Limit: 10}), 2)
}

func claimAllow(f *fixture) {
	task := f.putTask(Overlap(core.OverlapAllow))
	f.start(f.put(task), f.put(task))
	f.start(f.put(task))
}

func claimKey(f *fixture) {
	shared := []func(*core.TaskSpec){Slots("channel:1", 2), Overlap(core.OverlapAllow)}
	task := f.putTask(shared...)
	es := []core.Execution{f.put(task), f.put(f.putTask(shared...)), f.put(task)}
	f.mark(es...)
	other := f.put(f.putTask(Slots("channel:2", 1)))

	claimed := f.tryClaim(append(es, other)...)
	require.Len(f, claimed, 3, "two slots of one key and one of the other")
	require.Contains(f, idsOf(claimed), other.ID)
	held := f.list(core.ExecutionFilter{Statuses: []core.Status{core.StatusPending}}, core.Page{Limit: 10})
	require.Len(f, held, 1)
	require.Empty(f, f.tryClaim(f.get(held[0])))
}

func claimGateOpens(f *fixture) {
	cancel := func(now time.Time, e *core.Execution) {
		e.Fail(&core.Failure{Code: core.CodeCancelled, Message: "ended", Class: core.ClassCancelled}, "test@1.0.0", 0, now)
	}
	handBack := func(now time.Time, e *core.Execution) { e.HandBack(now) }
	for name, end := range map[string]func(time.Time, *core.Execution){
		"success": succeed, "retry": retryLater, "failure": failForGood, "cancellation": cancel, "hand back": handBack,
	} {
		first := f.start(f.put(f.putTask(Slots("key of "+name, 1))))[0]
		next := f.put(f.putTask(Slots("key of "+name, 1)))
		require.Empty(f, f.tryClaim(next))
		f.settle(first, end)
		require.Len(f, f.tryClaim(next), 1, "after a %s", name)
	}
}

func claimNothing(f *fixture) {
	require.Empty(f, f.tryClaim())
}
