package core_test

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

// planner drives one task through the timetable as a store and an engine would.
type planner struct {
	t         require.TestingT
	timetable core.Timetable
	task      core.Task
	calendars core.CalendarSet
	active    core.Active
	steps     int
	cancelled bool // the last at asked to end what was active
}

// arm creates the task of a spec at Epoch and sets its first occurrence.
func arm(t require.TestingT, calendars core.CalendarSet, opts ...func(*core.TaskSpec)) *planner {
	task, err := armed(calendars, nil, opts...)
	require.NoError(t, err)
	return &planner{t: t, timetable: core.Timetable{MinInterval: time.Second}, task: task, calendars: calendars}
}

// armed returns what Arm makes of a task that is created at Epoch and, when
// change is given, changed.
func armed(calendars core.CalendarSet, change func(*core.Task), opts ...func(*core.TaskSpec)) (core.Task, error) {
	task := coretest.Task(opts...)
	task.Timing = task.Timing.WithDefaults()
	task.TaskSpec = task.Anchored(task.CreatedAt)
	if change != nil {
		change(&task)
	}
	return core.Timetable{MinInterval: time.Second}.Arm(task, calendars, coretest.Epoch())
}

// step plans the task once.
func (p *planner) step(now time.Time) []core.Execution {
	plan, err := p.timetable.PlanTask(now, core.DueTask{Task: p.task, Active: p.active, Calendars: p.calendars})
	require.NoError(p.t, err)
	if plan.CancelPrevious {
		p.active, p.cancelled = core.Active{}, true
	}
	for _, e := range plan.Executions {
		if e.Status == core.StatusPending {
			p.active.Waiting++
		}
	}
	p.task.NextRun, p.task.Plan = plan.NextRun, plan.State
	p.steps++
	return plan.Executions
}

// at plans the task until it is not due any more.
func (p *planner) at(now time.Time) []core.Execution {
	var all []core.Execution
	p.cancelled = false
	for p.due(now) {
		all = append(all, p.step(now)...)
		require.Less(p.t, p.steps, 1000, "the task stays due")
	}
	return all
}

func (p *planner) due(now time.Time) bool { return p.task.NextRun != nil && !p.task.NextRun.After(now) }

// stretch is a range of missed occurrences that one execution stands for.
type stretch struct {
	Occurrences int
	From, To    time.Time
}

// stretchOf reads the range of an execution; an ordinary one stands for itself.
func stretchOf(t require.TestingT, e core.Execution) stretch {
	if e.Result == nil {
		return stretch{1, e.NominalTime, e.NominalTime}
	}
	require.Contains(t, []core.Status{core.StatusMissed, core.StatusSkipped}, e.Status)
	var s stretch
	require.NoError(t, json.Unmarshal(e.Result, &s))
	return s
}

// withStatus selects executions.
func withStatus(all []core.Execution, s core.Status) []core.Execution {
	var some []core.Execution
	for _, e := range all {
		if e.Status == s {
			some = append(some, e)
		}
	}
	return some
}

func nominalsOf(all []core.Execution) []time.Time {
	var times []time.Time
	for _, e := range all {
		times = append(times, e.NominalTime)
	}
	return times
}

// The options of tasks.

func every(d time.Duration) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ScheduleType, s.IntervalMs = core.ScheduleRecurring, core.MillisOf(d) }
}

func once(at time.Time) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ScheduleType, s.RunAt = core.ScheduleOnce, &at }
}

func cron(expr string) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ScheduleType, s.CronExpression = core.ScheduleCron, expr }
}

func until(at time.Time) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.EndAt = &at } }

func startingAt(at time.Time) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.StartAt = &at } }

func runs(n int) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.MaxRuns = n } }

func disabled(s *core.TaskSpec) { s.Enabled = false }

func misfire(p core.MisfirePolicy, window time.Duration) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Misfire = core.Misfire{Policy: p, WindowMs: core.MillisOf(window)} }
}

func named(calendars ...string) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Calendars = calendars }
}
