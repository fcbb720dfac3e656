package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// crowd is more than two statements take at once.
const crowd = 1001

// onBoth runs a test on a store of each kind with a crowd of due tasks that share
// a schedule.
func onBoth(t *testing.T, test func(t *testing.T, s *sqlstore.Store, clock *coretest.Clock, sc core.Schedule)) {
	t.Run("sqlite", func(t *testing.T) {
		clock, path := coretest.NewClock(t), emptyDatabase(t)
		s := openStore(t, path, clock)
		sc := plantCrowd(t, s, rawDB(t, path), `
			INSERT INTO tasks (id, name, type, schedule_type, schedule_id, next_run, timing, policy, next_nominal)
			WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			SELECT printf('%s-%06d', tasks.id, i), name, type, schedule_type, schedule_id, next_run, timing, policy, next_nominal
			FROM tasks, n`)
		test(t, s, clock, sc)
	})
	t.Run("postgres", func(t *testing.T) {
		clock, url := coretest.NewClock(t), sqlstore.EmptyTestDatabase(t)
		s := sqlstore.OpenTestPostgres(t, url, clock).Store
		sc := plantCrowd(t, s, rawPostgres(t, url), `
			INSERT INTO tasks (id, name, type, schedule_type, schedule_id, next_run, timing, policy, next_nominal)
			SELECT id || to_char(i, '-FM000000'), name, type, schedule_type, schedule_id, next_run, timing, policy, next_nominal
			FROM tasks, generate_series(1, $1) AS i`)
		test(t, s, clock, sc)
	})
}

// plantCrowd stores one task and copies it in one statement: a commit each is
// slow.
func plantCrowd(t *testing.T, s *sqlstore.Store, db *sqlx.DB, copies string) core.Schedule {
	t.Helper()
	sc, err := s.CreateSchedule(t.Context(), coretest.Schedule(), nil)
	require.NoError(t, err)
	_, err = s.CreateTask(t.Context(), coretest.DueAt(coretest.Task(func(spec *core.TaskSpec) {
		spec.ScheduleID = &sc.ID
	}), coretest.Epoch()), nil)
	require.NoError(t, err)
	_, err = db.Exec(copies, crowd-1)
	require.NoError(t, err)
	return sc
}

// planOne plans one occurrence of a task and no further one.
func planOne(now time.Time, d core.DueTask) core.Plan {
	return core.Plan{Executions: []core.Execution{
		core.NewExecution(d.Task, core.TriggerSchedule, *d.Task.NextRun, *d.Task.NextRun, now),
	}}
}

func TestACrowdGoesThroughEveryStep(t *testing.T) {
	onBoth(t, func(t *testing.T, s *sqlstore.Store, clock *coretest.Clock, _ core.Schedule) {
		throughEveryStep(t, s, clock)
	})
}

func throughEveryStep(t *testing.T, s *sqlstore.Store, clock *coretest.Clock) {
	ctx := t.Context()
	planned, err := s.PlanDue(ctx, crowd, planOne)
	require.NoError(t, err)
	require.Len(t, planned.Planned, crowd)
	require.Negative(t, planned.Wait)

	ready, err := s.Ready(ctx, crowd, nil)
	require.NoError(t, err)
	require.Len(t, ready.Executions, crowd)
	ids, marks := make([]string, crowd), make([]core.QueueMark, crowd)
	for i, e := range ready.Executions {
		ids[i], marks[i].ID = e.ID, e.ID
	}
	marked, err := s.MarkQueued(ctx, marks)
	require.NoError(t, err)
	require.Len(t, marked, crowd)

	claimed, err := s.Claim(ctx, ids, "node-a", time.Minute)
	require.NoError(t, err)
	require.Len(t, claimed, crowd)
	leases, done := make([]core.Lease, crowd), make([]core.Completion, crowd)
	for i, e := range claimed {
		leases[i] = core.Lease{ExecutionID: e.ID, Token: e.Token}
		done[i] = core.Completion{
			Lease:  leases[i],
			Log:    core.AttemptLog{Attempt: 1, Lines: []core.LogLine{{Message: "hi"}}},
			Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
		}
	}
	beat, err := s.Heartbeat(ctx, leases, time.Minute)
	require.NoError(t, err)
	require.Empty(t, beat.Lost)
	finished, err := s.Finish(ctx, done)
	require.NoError(t, err)
	for _, f := range finished {
		require.True(t, f.Applied)
	}

	clock.Advance(time.Hour)
	pruned, err := s.Prune(ctx, core.Retention{History: time.Minute}, 2*crowd)
	require.NoError(t, err)
	require.Equal(t, crowd, pruned)
	stats, err := s.Stats(ctx)
	require.NoError(t, err)
	require.Equal(t, core.Stats{Tasks: crowd, Waiting: map[core.Status]int{}}, stats)
}

func TestAScheduleRetimesACrowdOrNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, s *sqlstore.Store, _ *coretest.Clock, sc core.Schedule) { retimeAll(t, s, sc) })
}

func retimeAll(t *testing.T, s *sqlstore.Store, sc core.Schedule) {
	next := coretest.Epoch().Add(time.Hour)
	keep := func(_ time.Time, sc core.Schedule) (core.Schedule, error) { return sc, nil }
	refusal := errors.New("refused")
	calls := 0
	_, err := s.UpdateSchedule(t.Context(), sc.ID, core.AnyVersion, keep,
		func(_ time.Time, _ core.Schedule, task core.Task) (core.Task, error) {
			if calls++; calls == crowd {
				return task, refusal
			}
			return coretest.DueAt(task, next), nil
		})
	require.ErrorIs(t, err, refusal)
	due, err := s.PlanDue(t.Context(), crowd, func(_ time.Time, d core.DueTask) core.Plan {
		return core.Plan{NextRun: d.Task.NextRun, State: d.Task.Plan}
	})
	require.NoError(t, err)
	require.Equal(t, crowd, due.Tasks, "a refused update re-timed some")

	_, err = s.UpdateSchedule(t.Context(), sc.ID, core.AnyVersion, keep,
		func(_ time.Time, _ core.Schedule, task core.Task) (core.Task, error) {
			return coretest.DueAt(task, next), nil
		})
	require.NoError(t, err)
	due, err = s.PlanDue(t.Context(), crowd, planOne)
	require.NoError(t, err)
	require.Zero(t, due.Tasks)
	require.Equal(t, time.Hour, due.Wait)
}
