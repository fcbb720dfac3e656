package sqlstore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

// openPartitioned opens a store whose partitions the test may change, with a
// clock that the test moves from the world's time.
func openPartitioned(t *testing.T) (*Postgres, *coretest.Clock) {
	t.Helper()
	clock := coretest.NewClock(t)
	clock.Set(time.Now())
	return OpenTestPostgres(t, NewTestDatabase(t), clock), clock
}

// endOne stores an execution that ends at once, with a log.
func endOne(t *testing.T, s *Postgres, opts ...func(*core.Execution)) string {
	t.Helper()
	e := startOne(t, s, opts...)
	done, err := s.Finish(t.Context(), []core.Completion{{
		Lease:  core.Lease{ExecutionID: e.ID, Token: e.Token},
		Log:    core.AttemptLog{Attempt: 1, Lines: []core.LogLine{{Message: "hi"}}},
		Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
	}})
	require.NoError(t, err)
	require.True(t, done[0].Applied)
	return e.ID
}

func startOne(t *testing.T, s *Postgres, opts ...func(*core.Execution)) core.Execution {
	t.Helper()
	task, err := s.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)
	e := coretest.Execution(task, opts...)
	e.DueAt = time.Now().Add(-time.Minute)
	_, _, err = s.CreateExecution(t.Context(), e, nil)
	require.NoError(t, err)
	claimed, err := s.Claim(t.Context(), []string{e.ID}, "node-a", time.Minute)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	return claimed[0]
}

// homeOf is the table in which a row of a partitioned table lies.
func homeOf(t *testing.T, s *Postgres, table, column, id string) (home string) {
	t.Helper()
	require.NoError(t, s.writer.Get(&home, `SELECT tableoid::regclass::text FROM `+table+` WHERE `+column+` = $1`, id))
	return home
}

func weeks(t *testing.T, s *Postgres) []partition {
	t.Helper()
	weeks, err := s.read().partitions(t.Context())
	require.NoError(t, err)
	return weeks
}

func TestPartitionsAreMadeAhead(t *testing.T) {
	s, _ := openPartitioned(t)
	this := partitionOf(time.Now())
	have := weeks(t, s)
	require.GreaterOrEqual(t, len(have), partitionsAhead+2)
	require.False(t, have[0].from.After(this.from.Add(-partitionLength)))
	require.False(t, have[len(have)-1].from.Before(this.from.Add(partitionsAhead*partitionLength)))

	id := endOne(t, s)
	require.Contains(t, homeOf(t, s, "task_history", "id", id), "task_history_2", "it went to the default partition")
	require.Contains(t, homeOf(t, s, "execution_logs", "execution_id", id), "execution_logs_2")
}

// A season without maintenance costs nothing but the way through the default
// partition.
func TestStraysMoveIntoTheirPartition(t *testing.T) {
	s, _ := openPartitioned(t)
	for _, p := range weeks(t, s) {
		for _, table := range partitionedTables {
			_, err := s.writer.Exec(`DROP TABLE ` + p.table(table.name))
			require.NoError(t, err)
		}
	}
	id := endOne(t, s)
	require.Equal(t, "task_history_default", homeOf(t, s, "task_history", "id", id))

	var nodes errgroup.Group
	for range 3 { // they may all be at it
		nodes.Go(func() error { return s.makePartitions(context.Background()) })
	}
	require.NoError(t, nodes.Wait())
	require.Equal(t, partitionOf(time.Now()).table("task_history"), homeOf(t, s, "task_history", "id", id))
	require.Equal(t, partitionOf(time.Now()).table("execution_logs"), homeOf(t, s, "execution_logs", "execution_id", id))
	_, err := s.Execution(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, s.makePartitions(t.Context()), "a second time there is nothing to do")
}

func TestOldPartitionsAreDroppedWhole(t *testing.T) {
	s, clock := openPartitioned(t)
	ended := []string{endOne(t, s), endOne(t, s)}
	keep := core.Retention{History: 20 * partitionLength}
	prune := func() int {
		t.Helper()
		n, err := s.Prune(t.Context(), keep, 1000)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, prune())
	clock.Advance(keep.History)
	require.Zero(t, prune(), "the week is not over by the retention")

	// One that lives, and one that has ended later, keep their week.
	live := startOne(t, s)
	clock.Advance(2 * partitionLength)
	require.Zero(t, prune())
	_, err := s.Finish(t.Context(), []core.Completion{{
		Lease:  core.Lease{ExecutionID: live.ID, Token: live.Token},
		Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
	}})
	require.NoError(t, err)
	require.Zero(t, prune())

	clock.Advance(keep.History + partitionLength)
	require.Equal(t, 3, prune())
	for _, id := range append(ended, live.ID) {
		_, err := s.Execution(t.Context(), id)
		require.Equal(t, core.CodeNotFound, core.CodeOf(err))
	}
	var logs int
	require.NoError(t, s.writer.Get(&logs, `SELECT COUNT(*) FROM execution_logs`))
	require.Zero(t, logs)
	require.Zero(t, prune())
}

// What lies in no week's partition is removed one by one.
func TestStraysArePrunedToo(t *testing.T) {
	s, clock := openPartitioned(t)
	id := endOne(t, s, func(e *core.Execution) { e.ID = "00000000-0000-7000-8000-000000000000" }) // of a clock that stood at 1970
	require.Equal(t, "task_history_default", homeOf(t, s, "task_history", "id", id))
	clock.Advance(21 * partitionLength)
	n, err := s.Prune(t.Context(), core.Retention{History: 20 * partitionLength}, 1000)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestTheFirstIDOfAnInstantIsTheLeast(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	id := core.NewID()
	after := time.Now().Truncate(time.Millisecond).Add(time.Millisecond)
	require.LessOrEqual(t, firstID(before), id)
	require.Greater(t, firstID(after), id)
}

// Who reads the history for long must not keep executions from ending, as
// everybody would who waits behind one that wants to drop a part of it.
func TestDroppingOldHistoryWaitsForNobody(t *testing.T) {
	s, clock := openPartitioned(t)
	endOne(t, s)
	keep := core.Retention{History: 20 * partitionLength}
	clock.Advance(2 * keep.History)
	reader, err := s.writer.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = reader.Rollback() }()
	var n int
	require.NoError(t, reader.Get(&n, `SELECT COUNT(*) FROM task_history`))
	pruned, err := s.Prune(t.Context(), keep, 1000)
	require.NoError(t, err, "the rest is pruned all the same")
	require.Zero(t, pruned)
	require.NoError(t, reader.Rollback())
	pruned, err = s.Prune(t.Context(), keep, 1000)
	require.NoError(t, err)
	require.Positive(t, pruned)
}
