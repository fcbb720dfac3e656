package core_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
)

// blocking lists the gates that block.
func blocking(states []core.GateState) []core.Gate {
	var all []core.Gate
	for _, s := range states {
		if s.Blocking {
			all = append(all, s.Gate)
		}
	}
	return all
}

func explain(t *testing.T, w *world, id string) core.Explanation {
	t.Helper()
	x, err := w.Scheduler.Explain(context.Background(), id)
	require.NoError(t, err)
	for _, s := range x.Task {
		require.NotEmpty(t, s.Reason)
	}
	return x
}

func TestExplainTheNextOccurrence(t *testing.T) {
	w := newWorld(t)
	at := coretest.Epoch().Add(time.Hour)
	for name, c := range map[string]struct {
		spec func(*core.TaskSpec)
		want []core.Gate
	}{
		"scheduled": {func(s *core.TaskSpec) { s.RunAt = &at }, []core.Gate{core.GateSchedule}},
		"manual":    {func(*core.TaskSpec) {}, []core.Gate{core.GateSchedule}},
		"disabled":  {func(s *core.TaskSpec) { s.RunAt, s.Enabled = &at, false }, []core.Gate{core.GateEnabled, core.GateSchedule}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, blocking(explain(t, w, w.create(c.spec).ID).Task))
		})
	}
	task := w.create(func(s *core.TaskSpec) { s.RunAt = &at })
	require.Equal(t, at, *explain(t, w, task.ID).Task[2].OpensAt)
	_, err := w.Scheduler.PauseTask(context.Background(), task.ID, "stream is off")
	require.NoError(t, err)
	paused := explain(t, w, task.ID)
	require.Contains(t, blocking(paused.Task), core.GatePaused)
	require.Contains(t, paused.Task[1].Reason, "stream is off")
	_, err = w.Scheduler.Execute(context.Background(), task.ID, nil)
	require.NoError(t, err)
	require.Contains(t, blocking(explain(t, w, task.ID).Task), core.GateOverlap)
	_, err = w.Scheduler.Explain(context.Background(), core.NewID())
	require.Equal(t, core.CodeNotFound, core.CodeOf(err))
}

// TestExplainAnExecution closes one gate after the other and demands that just
// that one is named.
func TestExplainAnExecution(t *testing.T) {
	ctx := context.Background()
	for gate, c := range map[core.Gate]struct {
		spec  func(*core.TaskSpec)
		state func(t *testing.T, w *world, e *core.Execution)
	}{
		"": {func(*core.TaskSpec) {}, nil},
		core.GateDue: {func(*core.TaskSpec) {}, func(_ *testing.T, _ *world, e *core.Execution) {
			e.Status, e.DueAt = core.StatusRetrying, later(time.Minute)
		}},
		core.GateQueue: {func(*core.TaskSpec) {}, func(_ *testing.T, _ *world, e *core.Execution) { e.Status = core.StatusQueued }},
		core.GateWindow: {func(*core.TaskSpec) {}, func(_ *testing.T, _ *world, e *core.Execution) {
			e.Hours = &core.Hours{Windows: []schedule.Window{{Start: "20:00", End: "21:00"}}, Timezone: "UTC"}
		}},
		core.GateDependency: {func(*core.TaskSpec) {}, func(_ *testing.T, w *world, e *core.Execution) {
			e.Awaits = &core.Awaited{Tasks: []string{w.create(func(*core.TaskSpec) {}).ID}, Since: coretest.Epoch()}
		}},
		core.GateConcurrency: {func(s *core.TaskSpec) { s.ConcurrencyKey = "k" }, func(t *testing.T, w *world, _ *core.Execution) {
			other := w.create(func(s *core.TaskSpec) { s.ConcurrencyKey = "k" })
			x, err := w.Scheduler.Execute(ctx, other.ID, nil)
			require.NoError(t, err)
			_, err = w.store.Claim(ctx, []string{x.ID}, "node", time.Minute)
			require.NoError(t, err)
		}},
		core.GateType: {func(*core.TaskSpec) {}, func(t *testing.T, w *world, _ *core.Execution) {
			w.store.LimitTypes(func(string) int { return 1 })
			x, err := w.Scheduler.Execute(ctx, w.create(func(*core.TaskSpec) {}).ID, nil)
			require.NoError(t, err)
			_, err = w.store.Claim(ctx, []string{x.ID}, "node", time.Minute)
			require.NoError(t, err)
		}},
	} {
		t.Run("gate "+string(gate), func(t *testing.T) {
			w := newWorld(t)
			task := w.create(c.spec, func(s *core.TaskSpec) { s.Overlap = core.OverlapAllow })
			e := core.NewExecution(task, core.TriggerManual, coretest.Epoch(), coretest.Epoch(), coretest.Epoch())
			if c.state != nil {
				c.state(t, w, &e)
			}
			_, _, err := w.store.CreateExecution(ctx, e, nil)
			require.NoError(t, err)
			x := explain(t, w, task.ID)
			require.Len(t, x.Executions, 1)
			var want []core.Gate
			if gate != "" {
				want = []core.Gate{gate}
			}
			require.Equal(t, want, blocking(x.Executions[0].Gates))
		})
	}
}
