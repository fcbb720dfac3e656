package core_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
	"github.com/nexuscore/scheduler/internal/memory"
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

// TestExplainWhoIsInTheWay names the holders of slots and when they must end.
func TestExplainWhoIsInTheWay(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	shared := func(s *core.TaskSpec) { s.ConcurrencyKey, s.Overlap = "k", core.OverlapQueueAll }
	task := w.create(shared)
	holder, err := w.Scheduler.Execute(ctx, task.ID, nil)
	require.NoError(t, err)
	_, err = w.store.Claim(ctx, []string{holder.ID}, "node", time.Minute)
	require.NoError(t, err)
	_, err = w.Scheduler.Execute(ctx, task.ID, nil)
	require.NoError(t, err)
	x := explain(t, w, task.ID)
	end := coretest.Epoch().Add(task.TimeoutMs.Duration())
	closed := 0
	for _, g := range x.Executions[1].Gates {
		if g.Gate == core.GateOverlap || g.Gate == core.GateConcurrency {
			closed++
			require.True(t, g.Blocking)
			require.Contains(t, g.Reason, holder.ID)
			require.Equal(t, end, *g.OpensAt, "when its attempt has ended at the latest")
		}
	}
	require.Equal(t, 2, closed)
}

// loaded is a node with a fixed load.
type loaded core.Load

func (l loaded) Load(context.Context) (core.Load, error) { return core.Load(l), nil }

func TestExplainABusyNode(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		load    loaded
		status  core.Status
		blocked []core.Gate
	}{
		"free":       {loaded{Slots: 1, Room: 1}, core.StatusPending, nil},
		"queue full": {loaded{Slots: 1, Waiting: 9}, core.StatusPending, []core.Gate{core.GateQueue}},
		"queued":     {loaded{Slots: 2, Running: 1}, core.StatusQueued, []core.Gate{core.GateQueue}},
		"node full":  {loaded{Slots: 2, Running: 2, Node: "n"}, core.StatusQueued, []core.Gate{core.GateQueue, core.GateNode}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s *core.SchedulerConfig) { s.Load = c.load })
			task := w.create()
			e := core.NewExecution(task, core.TriggerManual, coretest.Epoch(), coretest.Epoch(), coretest.Epoch())
			e.Status = c.status
			_, _, err := w.store.CreateExecution(ctx, e, nil)
			require.NoError(t, err)
			require.Equal(t, c.blocked, blocking(explain(t, w, task.ID).Executions[0].Gates))
		})
	}
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

// gateOf returns one gate.
func gateOf(t *testing.T, states []core.GateState, g core.Gate) core.GateState {
	t.Helper()
	for _, s := range states {
		if s.Gate == g {
			return s
		}
	}
	require.Failf(t, "gate is missing", "%s", g)
	return core.GateState{}
}

// TestExplainALongLine: the oldest are explained, all are counted, and the one
// that runs is named although it is the youngest.
func TestExplainALongLine(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	task := w.create(func(s *core.TaskSpec) { s.Overlap = core.OverlapQueueAll })
	var ids []string
	for range 120 {
		e, err := w.Scheduler.Execute(ctx, task.ID, nil)
		require.NoError(t, err)
		ids = append(ids, e.ID)
	}
	running := ids[119]
	_, err := w.store.Claim(ctx, []string{running}, "node", time.Minute)
	require.NoError(t, err)
	x := explain(t, w, task.ID)
	overlap := gateOf(t, x.Task, core.GateOverlap)
	require.False(t, overlap.Blocking)
	require.Contains(t, overlap.Reason, "1 running and 119 waiting")
	var explained []string
	for _, e := range x.Executions {
		explained = append(explained, e.Execution.ID)
	}
	require.Equal(t, append([]string{running}, ids[:50]...), explained)
	first := gateOf(t, x.Executions[1].Gates, core.GateOverlap)
	require.True(t, first.Blocking)
	require.Contains(t, first.Reason, running)

	for range core.MaxOverlapQueue - 119 {
		_, err := w.Scheduler.Execute(ctx, task.ID, nil)
		require.NoError(t, err)
	}
	_, err = w.Scheduler.Execute(ctx, task.ID, nil)
	require.Equal(t, core.CodeTaskLocked, core.CodeOf(err))
	require.True(t, gateOf(t, explain(t, w, task.ID).Task, core.GateOverlap).Blocking, "the line is full")
}

func TestExplainTheScheduleOfAPausedTask(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	task := w.create(every(time.Minute))
	disabled := w.create(every(time.Minute), disabled)
	next := *task.Plan.NextNominal
	_, err := w.Scheduler.PauseTask(ctx, task.ID, "stream is off")
	require.NoError(t, err)
	g := gateOf(t, explain(t, w, task.ID).Task, core.GateSchedule)
	require.True(t, g.Blocking)
	require.Contains(t, g.Reason, "the next occurrence is that of "+next.Format(time.RFC3339))
	require.Equal(t, next, *g.OpensAt)

	w.clock.now = next
	g = gateOf(t, explain(t, w, task.ID).Task, core.GateSchedule)
	require.False(t, g.Blocking, "only the pause is in the way")
	require.Contains(t, g.Reason, "since "+next.Format(time.RFC3339))
	g = gateOf(t, explain(t, w, disabled.ID).Task, core.GateSchedule)
	require.True(t, g.Blocking)
	require.Contains(t, g.Reason, "while it is disabled")
}

// TestExplainWhichDependenciesAreMissing: those that have done their part are
// not named.
func TestExplainWhichDependenciesAreMissing(t *testing.T) {
	w := newWorld(t)
	finish := func(task core.Task, settle func(now time.Time, e *core.Execution)) {
		e, err := w.Scheduler.Execute(w.ctx, task.ID, nil)
		require.NoError(t, err)
		claimed, err := w.store.Claim(w.ctx, []string{e.ID}, "node", time.Minute)
		require.NoError(t, err)
		_, err = w.store.Finish(w.ctx, []core.Completion{{Lease: core.Lease{ExecutionID: e.ID, Token: claimed[0].Token}, Settle: settle}})
		require.NoError(t, err)
	}
	succeed := func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) }
	named := func(name string) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.Name = name } }
	a, b := w.create(named("A")), w.create(named("B"))
	task := w.create(func(s *core.TaskSpec) {
		s.ScheduleType, s.DependsOn = core.ScheduleDependency, []string{a.ID, b.ID}
	})
	reason := func() string {
		g := gateOf(t, explain(t, w, task.ID).Task, core.GateSchedule)
		require.True(t, g.Blocking)
		return g.Reason
	}
	require.Contains(t, reason(), `waits for "A" (`+a.ID+`), "B" (`+b.ID+`)`)
	w.clock.now = later(time.Minute)
	finish(a, succeed)
	require.Contains(t, reason(), `waits for "B" (`+b.ID+`)`)
	require.NotContains(t, reason(), `"A"`)
	finish(b, func(now time.Time, e *core.Execution) {
		e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassPermanent, Message: "no"}, "", 0, now)
	})
	require.Contains(t, reason(), `"B" (`+b.ID+`) did not succeed`)
	finish(b, succeed)
	require.False(t, gateOf(t, explain(t, w, task.ID).Task, core.GateSchedule).Blocking)
}

// unloaded knows task types whose plugins are not there any more.
type unloaded struct {
	anyType
	gone *bool
}

func (u unloaded) ValidateData(string, json.RawMessage) error {
	if *u.gone {
		return core.Errorf(core.CodePluginUnavailable, "the plugin of %q is not loaded", "test")
	}
	return nil
}

// TestExplainAPluginThatIsGone: the engine starts the execution all the same.
func TestExplainAPluginThatIsGone(t *testing.T) {
	gone := false
	w := newWorld(t, func(c *core.SchedulerConfig) { c.Types = unloaded{gone: &gone} })
	task := w.create()
	_, err := w.Scheduler.Execute(w.ctx, task.ID, nil)
	require.NoError(t, err)
	gone = true
	x := explain(t, w, task.ID)
	require.Empty(t, blocking(x.Executions[0].Gates))
	for _, gates := range [][]core.GateState{x.Task, x.Executions[0].Gates} {
		g := gateOf(t, gates, core.GatePlugin)
		require.False(t, g.Blocking)
		require.Contains(t, g.Reason, "fails with PLUGIN_UNAVAILABLE and is tried again by its retry policy")
	}
}

// quarantined has the plugin of the type "test" in quarantine.
type quarantined struct{ anyType }

func (quarantined) Plugins() []core.PluginStatus {
	return []core.PluginStatus{{Type: "test", State: core.PluginQuarantined, Quarantine: &core.Quarantine{Reason: "it fell over", Crashes: 5, Until: coretest.Epoch().Add(time.Minute)}}}
}

func TestExplainAQuarantine(t *testing.T) {
	w := newWorld(t, func(c *core.SchedulerConfig) { c.Types = quarantined{} })
	g := gateOf(t, explain(t, w, w.create().ID).Task, core.GatePlugin)
	require.True(t, g.Blocking)
	require.Contains(t, g.Reason, "crashed 5 times in a row")
	require.Contains(t, g.Reason, "2026-03-02T10:01:00Z")
	require.Contains(t, g.Reason, "it fell over")
}

// closedRates are the limiter's keys that have no room for a minute.
type closedRates []string

func (c closedRates) RateOpensAt(now time.Time, key string) time.Time {
	if slices.Contains(c, key) {
		return coretest.Epoch().Add(time.Minute)
	}
	return now
}

// TestExplainNoRateLimitWhileTimePasses: what has room opens "now", and the
// clock has moved on since the explanation began.
func TestExplainNoRateLimitWhileTimePasses(t *testing.T) {
	clock := &passing{now: coretest.Epoch()}
	w := newWorld(t)
	s := schedulerOn(w.store, memory.NewSignals(), clock, func(s *core.SchedulerConfig) { s.Rates = closedRates(nil) })
	task := w.create(func(s *core.TaskSpec) { s.RateLimit = &core.RateLimit{Key: "k", Limit: 1, PerMs: 1000} })
	_, err := w.Execute(w.ctx, task.ID, nil)
	require.NoError(t, err)
	x, err := s.Explain(w.ctx, task.ID)
	require.NoError(t, err)
	g := gateOf(t, x.Executions[0].Gates, core.GateRate)
	require.False(t, g.Blocking, g.Reason)
	require.Nil(t, g.OpensAt)
}

// passing is a clock that moves with every look at it.
type passing struct{ now time.Time }

func (p *passing) Now() time.Time {
	p.now = p.now.Add(time.Millisecond)
	return p.now
}

func TestExplainARateLimit(t *testing.T) {
	limited := func(s *core.TaskSpec) { s.RateLimit = &core.RateLimit{Key: "k", Limit: 1, PerMs: 1000} }
	for name, c := range map[string]struct {
		closed closedRates
		want   string
	}{
		"open":       {nil, `rate limit "k"`},
		"its own":    {closedRates{core.RateKey("k")}, `the rate limit "k" of 1 in 1s is used up`},
		"its type's": {closedRates{core.TypeRateKey("test")}, `the rate limit of the type "test"`},
		"another":    {closedRates{core.RateKey("test")}, `rate limit "k"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s *core.SchedulerConfig) { s.Rates = c.closed })
			task := w.create(limited)
			_, err := w.Execute(w.ctx, task.ID, nil)
			require.NoError(t, err)
			for _, g := range explain(t, w, task.ID).Executions[0].Gates {
				if g.Gate == core.GateRate {
					require.Contains(t, g.Reason, c.want)
					require.Equal(t, len(c.closed) > 0 && name != "another", g.Blocking)
					require.Equal(t, g.Blocking, g.OpensAt != nil)
				}
			}
		})
	}
}
