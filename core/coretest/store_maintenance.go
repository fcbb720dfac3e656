package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) maintenance(t *testing.T) {
	s.run(t, "the newest of each task are kept", prunePerTask)
	s.run(t, "history goes when it is older than the retention", pruneHistory)
	s.run(t, "live executions stay however old they are", pruneKeepsLive)
	s.run(t, "no retention keeps for ever", pruneNothing)
	s.run(t, "one call removes up to its limit", pruneLimit)
	s.run(t, "idempotency keys go when they are older than the retention", pruneKeys)
	s.run(t, "messages that nobody took go when they are older than the retention", pruneOutbox)
	s.run(t, "the key of a pruned execution makes a new one", pruneKeyOfPruned)
	s.run(t, "the counts are right", countStats)
	s.run(t, "a store that is well answers a ping", ping)
}

func (f *fixture) prune(keep core.Retention, limit int) int {
	f.Helper()
	n, err := f.Prune(f.Context(), keep, limit)
	require.NoError(f, err)
	return n
}

func pruneHistory(f *fixture) {
	task := f.putTask()
	old := f.start(f.put(task))[0]
	f.finishWithLog(old, core.AttemptLog{Attempt: 1, Lines: []core.LogLine{{Time: Epoch(), Level: "info", Message: "old"}}}, succeed)
	f.clock.Advance(time.Second)
	young := f.putFinished(task)

	keep := core.Retention{History: time.Hour}
	f.clock.Set(Epoch().Add(time.Hour))
	require.Zero(f, f.prune(keep, 10), "exactly as old as the retention is not older")
	f.clock.Advance(time.Microsecond)
	require.Equal(f, 1, f.prune(keep, 10))
	_, err := f.Execution(f.Context(), old.ID)
	requireCode(f, core.CodeNotFound, err)
	_, err = f.ExecutionLogs(f.Context(), old.ID)
	requireCode(f, core.CodeNotFound, err)
	require.Equal(f, []string{young.ID}, f.list(core.ExecutionFilter{}, core.Page{Limit: 10}))
	require.Equal(f, []string{young.ID}, f.list(core.ExecutionFilter{TaskID: task.ID}, core.Page{Limit: 10}))
	require.Equal(f, task.ID, f.getTask(task.ID).ID)
}

func pruneKeepsLive(f *fixture) {
	live := []core.Execution{f.putFree(), f.putRunning(), f.settle(f.putRunning(), retryLater), f.putFree()}
	f.mark(live[3])
	f.clock.Advance(1000 * time.Hour)
	require.Zero(f, f.prune(core.Retention{History: time.Hour}, 10))
	for _, e := range live {
		f.get(e.ID)
	}
}

func pruneNothing(f *fixture) {
	f.putFinished(f.putTask())
	_, err := f.CreateTask(f.Context(), Task(), &core.Idempotency{Key: "k", Fingerprint: "a"})
	require.NoError(f, err)
	f.clock.Advance(100_000 * time.Hour)
	require.Zero(f, f.prune(core.Retention{}, 10))
	require.Zero(f, f.prune(core.Retention{IdempotencyKeys: 200_000 * time.Hour}, 10))
}

func pruneLimit(f *fixture) {
	task := f.putTask()
	for range 5 {
		f.putFinished(task)
		f.clock.Advance(time.Second)
	}
	for _, key := range []string{"k", "l"} {
		_, err := f.CreateTask(f.Context(), Task(), &core.Idempotency{Key: key, Fingerprint: "a"})
		require.NoError(f, err)
	}
	f.clock.Advance(2 * time.Hour)
	keep := core.Retention{History: time.Hour, IdempotencyKeys: time.Hour}
	for _, want := range []int{2, 2, 2, 1, 0} { // five executions and two keys
		require.Equal(f, want, f.prune(keep, 2))
	}
}

func pruneKeys(f *fixture) {
	create := func() error {
		_, err := f.CreateTask(f.Context(), Task(), &core.Idempotency{Key: "k", Fingerprint: "a"})
		return err
	}
	require.NoError(f, create())
	keep := core.Retention{IdempotencyKeys: time.Hour}
	f.clock.Advance(time.Hour)
	require.Zero(f, f.prune(keep, 10))
	require.ErrorIs(f, create(), core.ErrReplayed)
	f.clock.Advance(time.Microsecond)
	require.Equal(f, 1, f.prune(keep, 10))
	require.NoError(f, create(), "the key is still known")
}

func pruneKeyOfPruned(f *fixture) {
	task := f.putTask()
	key := &core.Idempotency{Key: "k", Fingerprint: "a"}
	first, _, err := f.CreateExecution(f.Context(), Execution(task), key)
	require.NoError(f, err)
	f.settle(f.start(first)[0], succeed)
	f.clock.Advance(2 * time.Hour)
	require.Equal(f, 1, f.prune(core.Retention{History: time.Hour}, 10))
	second, _, err := f.CreateExecution(f.Context(), Execution(task), key)
	require.NoError(f, err)
	require.NotEqual(f, first.ID, second.ID)
}

func countStats(f *fixture) {
	f.requireStats(0, nil)
	f.putTask(func(s *core.TaskSpec) { s.Enabled = false })
	task := f.putTask(Overlap(core.OverlapAllow))
	f.putFinished(task)
	f.put(task)
	f.mark(f.put(task), f.put(task))
	f.start(f.put(task), f.put(task), f.put(task))
	f.settle(f.start(f.put(task))[0], retryLater)
	f.requireStats(1, map[core.Status]int{
		core.StatusPending: 1, core.StatusQueued: 2, core.StatusRunning: 3, core.StatusRetrying: 1,
	})
}

func (f *fixture) requireStats(tasks int, live map[core.Status]int) {
	f.Helper()
	stats, err := f.Stats(f.Context())
	require.NoError(f, err)
	require.Equal(f, tasks, stats.Tasks)
	for _, s := range core.Statuses() {
		require.Equal(f, live[s], stats.Waiting[s], "%s executions", s)
	}
}

func ping(f *fixture) {
	require.NoError(f, f.Ping(f.Context()))
}

func prunePerTask(f *fixture) {
	busy, calm := f.putTask(Overlap(core.OverlapAllow)), f.putTask()
	var finished []string
	for range 6 {
		finished = append(finished, f.putFinished(busy).ID)
	}
	kept := f.putFinished(calm)
	live := f.put(busy)
	removed := 0
	for range 10 { // a part at each call
		n, err := f.Prune(f.Context(), core.Retention{HistoryPerTask: 2}, 3)
		require.NoError(f, err)
		require.LessOrEqual(f, n, 3)
		removed += n
	}
	require.Equal(f, 4, removed)
	for i, id := range finished {
		_, err := f.Execution(f.Context(), id)
		if i < 4 {
			requireCode(f, core.CodeNotFound, err)
		} else {
			require.NoError(f, err)
		}
	}
	f.get(kept.ID)
	f.get(live.ID)
}

func pruneOutbox(f *fixture) {
	f.putFinished(f.putTask())
	keep := core.Retention{Outbox: time.Hour}
	f.clock.Set(Epoch().Add(time.Hour))
	require.Zero(f, f.prune(keep, 10))
	f.clock.Advance(time.Microsecond)
	require.Equal(f, 1, f.prune(keep, 10))
	require.Empty(f, f.messages(core.MessageEvent))
}
