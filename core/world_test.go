package core_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a scheduler over the in-process store, with a clock that stands
// still. No engine runs: tests plan by hand.
type world struct {
	*core.Scheduler
	t         require.TestingT
	ctx       context.Context
	store     core.Store
	clock     *settable
	timetable core.Timetable
}

// settable is a clock that stands at Epoch until it is moved.
type settable struct{ now time.Time }

func (c *settable) Now() time.Time { return c.now }

func newWorld(t require.TestingT, options ...func(*core.SchedulerConfig)) *world {
	w := &world{t: t, ctx: context.Background(), clock: &settable{coretest.Epoch()}, timetable: core.Timetable{MinInterval: time.Second}}
	w.store = memory.NewStore(w.clock)
	w.Scheduler = schedulerOn(w.store, memory.NewSignals(), w.clock, options...)
	return w
}

func schedulerOn(store core.Store, signals core.Signals, clock core.Clock, options ...func(*core.SchedulerConfig)) *core.Scheduler {
	c := core.SchedulerConfig{
		Store: store, Types: anyType{}, Signals: signals, Clock: clock, Timetable: core.Timetable{MinInterval: time.Second},
		Defaults: core.Defaults{Timeout: time.Minute, RetryAttempts: 3, RetryDelay: time.Second},
	}
	for _, option := range options {
		option(&c)
	}
	return core.NewScheduler(c)
}

// anyType knows every task type and takes any data.
type anyType struct{}

func (anyType) ValidateData(string, json.RawMessage) error { return nil }
func (anyType) Plugins() []core.PluginStatus               { return nil }

// spec is a task that a user asks for.
func (w *world) spec(opts ...func(*core.TaskSpec)) core.TaskSpec {
	spec := w.NewSpec()
	spec.Name, spec.Type = "task", "test"
	for _, opt := range opts {
		opt(&spec)
	}
	return spec
}

func (w *world) create(opts ...func(*core.TaskSpec)) core.Task {
	t, err := w.CreateTask(w.ctx, w.spec(opts...), nil)
	require.NoError(w.t, err)
	return t
}

func (w *world) task(id string) core.Task {
	t, err := w.Task(w.ctx, id)
	require.NoError(w.t, err)
	return t
}

func (w *world) schedule(timing core.Timing) core.Schedule {
	sc, err := w.CreateSchedule(w.ctx, core.ScheduleSpec{Name: "shared", Timing: timing}, nil)
	require.NoError(w.t, err)
	return sc
}

func (w *world) calendar(spec core.CalendarSpec) core.Calendar {
	c, err := w.CreateCalendar(w.ctx, spec, nil)
	require.NoError(w.t, err)
	return c
}

// plan moves the clock and turns what is due into executions.
func (w *world) plan(at time.Time) []core.Execution {
	w.clock.now = at
	report, err := w.store.PlanDue(w.ctx, 1000, func(now time.Time, d core.DueTask) core.Plan {
		p, err := w.timetable.PlanTask(now, d)
		require.NoError(w.t, err)
		return p
	})
	require.NoError(w.t, err)
	return report.Planned
}

// following is an option of tasks: they follow a shared schedule.
func following(sc core.Schedule) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ScheduleID = &sc.ID }
}
