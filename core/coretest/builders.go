package coretest

import (
	"encoding/json"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Task returns a valid manual task of type "test" that may be stored as it is.
// Each option changes its spec first.
func Task(opts ...func(*core.TaskSpec)) core.Task {
	spec := core.TaskSpec{
		Name: "test task", Type: "test", Enabled: true,
		Timing: core.Timing{ScheduleType: core.ScheduleManual}.WithDefaults(),
		Policy: core.Defaults{Timeout: time.Minute, RetryAttempts: 3, RetryDelay: time.Second}.Policy(),
		Data:   json.RawMessage(`{}`),
	}
	for _, opt := range opts {
		opt(&spec)
	}
	return core.NewTask(spec, Epoch())
}

// DueAt returns the task with its next occurrence at an instant, which is also
// the nominal time.
func DueAt(t core.Task, at time.Time) core.Task {
	due, nominal := core.Instant(at), core.Instant(at)
	t.NextRun, t.Plan.NextNominal = &due, &nominal
	return t
}

// Execution returns a pending execution of the task that has been due since
// Epoch. Each option changes it.
func Execution(t core.Task, opts ...func(*core.Execution)) core.Execution {
	e := core.NewExecution(t, core.TriggerManual, Epoch(), Epoch(), Epoch())
	for _, opt := range opts {
		opt(&e)
	}
	return e
}

// Schedule returns a shared schedule of one minute. Each option changes its
// spec first.
func Schedule(opts ...func(*core.ScheduleSpec)) core.Schedule {
	start := Epoch()
	spec := core.ScheduleSpec{
		Name: "test schedule",
		Timing: core.Timing{
			ScheduleType: core.ScheduleRecurring, IntervalMs: core.MillisOf(time.Minute), StartAt: &start,
		}.WithDefaults(),
	}
	for _, opt := range opts {
		opt(&spec)
	}
	return core.NewSchedule(spec, Epoch())
}

// Overlap is an option of Task: the overlap policy.
func Overlap(p core.OverlapPolicy) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Overlap = p }
}

// Slots is an option of Task: its executions share n slots of a concurrency key.
func Slots(key string, n int) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ConcurrencyKey, s.MaxConcurrency = key, n }
}

// Named is an option of Task: its name.
func Named(name string) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Name = name }
}
