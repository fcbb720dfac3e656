package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// crowd is more than two statements take at once.
const crowd = 1001

// openCrowd opens a store with a crowd of due tasks that share a schedule.
func openCrowd(t *testing.T) (*sqlstore.Store, *coretest.Clock, core.Schedule) {
	t.Helper()
	clock := coretest.NewClock(t)
	path := emptyDatabase(t)
	s := openStore(t, path, clock)
	sc, err := s.CreateSchedule(t.Context(), coretest.Schedule(), nil)
	require.NoError(t, err)
	first, err := s.CreateTask(t.Context(), coretest.DueAt(coretest.Task(func(spec *core.TaskSpec) {
		spec.ScheduleID = &sc.ID
	}), coretest.Epoch()), nil)
	require.NoError(t, err)
	// Copies of the first one, made in one statement because a commit each is slow.
	_, err = rawDB(t, path).Exec(`
		INSERT INTO tasks (id, name, type, schedule_type, schedule_id, next_run, timing, policy, next_nominal)
		WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		SELECT printf('%s-%06d', tasks.id, i), name, type, schedule_type, schedule_id, next_run, timing, policy, next_nominal
		FROM tasks, n WHERE tasks.id = ?`, crowd-1, first.ID)
	require.NoError(t, err)
	return s, clock, sc
}

// planOne plans one occurrence of a task and no further one.
func planOne(now time.Time, d core.DueTask) core.Plan {
	return core.Plan{Executions: []core.Execution{
		core.NewExecution(d.Task, core.TriggerSchedule, *d.Task.NextRun, *d.Task.NextRun, now),
	}}
}

func TestACrowdGoesThroughEveryStep(t *testing.T) {
	s, clock, _ := openCrowd(t)
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
	s, _, sc := openCrowd(t)
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
