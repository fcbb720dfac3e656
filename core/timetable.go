package core

import (
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// Timetable computes when tasks run. The API that stores a task, the preview
// and the planner all ask it, so that they cannot disagree.
type Timetable struct {
	MinInterval time.Duration // shortest allowed distance of two occurrences
}

// Compile turns a task's timing into its rule.
func (tt Timetable) Compile(t Task, set CalendarSet) (*schedule.Spec, error) {
	calendars, err := set.pick(t.Calendars)
	if err != nil {
		return nil, err
	}
	return t.Timing.Compile(t.ID, tt.MinInterval, calendars)
}

// Check demands that the task's timing can be used at all.
func (tt Timetable) Check(t Task, set CalendarSet) error {
	spec, err := tt.Compile(t, set)
	if err != nil {
		return err
	}
	return Usable(spec)
}

// Arm sets the task's next occurrence after it was created or re-timed. It
// fails with INVALID_SCHEDULE when an enabled task would never run again.
func (tt Timetable) Arm(t Task, set CalendarSet, now time.Time) (Task, error) {
	spec, err := tt.Compile(t, set)
	if err != nil {
		return t, err
	}
	if err := Usable(spec); err != nil {
		return t, err
	}
	t.NextRun, t.Plan.NextNominal = nil, nil
	if !t.Enabled || t.exhausted() || !t.Timed() {
		return t.lookAgain(now), nil
	}
	o, ok := tt.first(t, spec, now)
	if !ok {
		return t, tt.noneLeft(t)
	}
	t.setNext(o)
	return t, nil
}

// first finds the occurrence a task starts with: the first one after now and
// after all that was planned before. A runAt that has just passed still counts,
// within the catch-up window.
func (tt Timetable) first(t Task, spec *schedule.Spec, now time.Time) (schedule.Occurrence, bool) {
	after := now
	if t.ScheduleType == ScheduleOnce {
		after = now.Add(-t.Misfire.WindowMs.Duration())
	}
	if t.Plan.LastNominal != nil && t.Plan.LastNominal.After(after) {
		after = *t.Plan.LastNominal
	}
	o, ok := spec.Next(after)
	for ok && o.At.Before(now) && t.ScheduleType != ScheduleOnce {
		o, ok = spec.Next(o.Nominal) // a calendar moved it into the past
	}
	return o, ok
}

func (tt Timetable) noneLeft(t Task) error {
	switch {
	case t.ScheduleType == ScheduleOnce && t.Plan.LastNominal != nil && !t.RunAt.After(*t.Plan.LastNominal):
		return nil // it has run; changing something else about it is fine
	case t.ScheduleType != ScheduleOnce && t.Plan.LastNominal != nil:
		return nil // it has run to its end
	case t.ScheduleType == ScheduleOnce:
		return Invalid(CodeInvalidSchedule, []FieldProblem{{Field: "/runAt", Problem: "is in the past"}})
	case t.EndAt != nil:
		return Invalid(CodeInvalidSchedule, []FieldProblem{{Field: "/endAt", Problem: "leaves no occurrence"}})
	}
	return Invalid(CodeInvalidSchedule, []FieldProblem{{Field: "/cronExpression", Problem: "has no further occurrence"}})
}

// Timed reports whether the task runs by the clock.
func (t Task) Timed() bool {
	return t.ScheduleType != ScheduleManual && t.ScheduleType != ScheduleDependency
}

func (t Task) exhausted() bool { return t.MaxRuns > 0 && t.Plan.Runs >= t.MaxRuns }

func (t *Task) setNext(o schedule.Occurrence) {
	due, nominal := Instant(o.At), Instant(o.Nominal)
	t.NextRun, t.Plan.NextNominal = &due, &nominal
	if t.PauseReason != nil {
		t.NextRun = nil
	}
}
