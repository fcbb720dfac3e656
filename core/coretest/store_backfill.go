package coretest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) backfills(t *testing.T) {
	s.run(t, "decide sees the task, what is active and what was executed", backfillSees)
	s.run(t, "the plan is applied as a whole", backfillApplies)
	s.run(t, "an error of decide changes nothing", backfillRefused)
	s.run(t, "a key is used once", backfillKey)
}

func nothing(_ time.Time, d core.BackfillTask) (core.BackfillPlan, error) {
	return core.BackfillPlan{NextRun: d.Task.NextRun, State: d.Task.Plan}, nil
}

func (f *fixture) backfill(task core.Task, decide func(time.Time, core.BackfillTask) (core.BackfillPlan, error)) []string {
	f.Helper()
	running, err := f.PlanBackfill(f.Context(), task.ID, Epoch(), Epoch().Add(time.Hour), nil, decide)
	require.NoError(f, err)
	return running
}

func backfillSees(f *fixture) {
	task := f.putDueTask(Epoch().Add(time.Hour), Overlap(core.OverlapAllow))
	at := func(n int) func(*core.Execution) {
		return func(e *core.Execution) { e.NominalTime = Epoch().Add(time.Duration(n) * time.Minute) }
	}
	f.settle(f.start(f.put(task, at(1)))[0], succeed)
	f.settle(f.start(f.put(task, at(2)))[0], failForGood)
	f.start(f.put(task, at(3)))
	f.put(task, at(100))
	f.backfill(task, func(now time.Time, d core.BackfillTask) (core.BackfillPlan, error) {
		require.Equal(f, core.Instant(f.clock.Now()), now)
		require.Equal(f, core.Active{Running: 1, Waiting: 1}, d.Active)
		require.Equal(f, map[time.Time]core.Status{
			Epoch().Add(time.Minute): core.StatusSucceeded, Epoch().Add(3 * time.Minute): core.StatusRunning,
		}, d.Occurred)
		return nothing(now, d)
	})
	requireSameTask(f, f.getTask(task.ID), f.getTask(task.ID))
	_, err := f.PlanBackfill(f.Context(), core.NewID(), Epoch(), Epoch(), nil, nothing)
	requireCode(f, core.CodeNotFound, err)
}

func backfillApplies(f *fixture) {
	task := f.putDueTask(Epoch(), Overlap(core.OverlapAllow))
	waiting, running := f.put(task), f.start(f.put(task))[0]
	later := Epoch().Add(2 * time.Hour)
	var planned []core.Execution
	asked := f.backfill(task, func(now time.Time, d core.BackfillTask) (core.BackfillPlan, error) {
		skipped := core.NewExecution(d.Task, core.TriggerBackfill, Epoch().Add(time.Second), now, now)
		skipped.Dismiss(core.StatusSkipped, "test", now)
		planned = []core.Execution{core.NewExecution(d.Task, core.TriggerBackfill, Epoch(), now, now), skipped}
		state := d.Task.Plan
		state.NextNominal, state.LastNominal = &later, &later
		return core.BackfillPlan{Executions: planned, CancelPrevious: true, NextRun: &later, State: state}, nil
	})
	require.Equal(f, []string{running.ID}, asked)
	require.Equal(f, core.StatusCancelled, f.get(waiting.ID).Status)
	require.Equal(f, core.StatusPending, f.get(planned[0].ID).Status)
	require.Equal(f, core.StatusSkipped, f.get(planned[1].ID).Status)
	got := f.getTask(task.ID)
	require.Equal(f, []*time.Time{&later, &later, &later}, []*time.Time{got.NextRun, got.Plan.NextNominal, got.Plan.LastNominal})
	require.Equal(f, task.Version, got.Version)
}

func backfillRefused(f *fixture) {
	task := f.putDueTask(Epoch())
	problem := errors.New("no")
	_, err := f.PlanBackfill(f.Context(), task.ID, Epoch(), Epoch(), &core.Idempotency{Key: "k", Fingerprint: "a"},
		func(time.Time, core.BackfillTask) (core.BackfillPlan, error) { return core.BackfillPlan{}, problem })
	require.ErrorIs(f, err, problem)
	requireSameTask(f, task, f.getTask(task.ID))
	_, err = f.PlanBackfill(f.Context(), task.ID, Epoch(), Epoch(), &core.Idempotency{Key: "k", Fingerprint: "b"}, nothing)
	require.NoError(f, err, "the key was not used")
}

func backfillKey(f *fixture) {
	task := f.putDueTask(Epoch())
	asked := 0
	plan := func(fingerprint string) error {
		_, err := f.PlanBackfill(f.Context(), task.ID, Epoch(), Epoch(), &core.Idempotency{Key: "k", Fingerprint: fingerprint},
			func(now time.Time, d core.BackfillTask) (core.BackfillPlan, error) {
				asked++
				return core.BackfillPlan{
					State:      d.Task.Plan,
					Executions: []core.Execution{core.NewExecution(d.Task, core.TriggerBackfill, now, now, now)},
				}, nil
			})
		return err
	}
	require.NoError(f, plan("a"))
	require.ErrorIs(f, plan("a"), core.ErrReplayed)
	require.Equal(f, 2, asked, "it may report what is there")
	require.ErrorIs(f, plan("b"), core.ErrIdempotencyReuse)
	require.Len(f, f.list(core.ExecutionFilter{TaskID: task.ID}, core.Page{Limit: 10}), 1)
}
