package core

import (
	"fmt"
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
//
// What is owed is kept: an occurrence that is due and not yet planned stays for
// the planner, and one whose start was put off (by a window, a calendar or
// jitter) is still ahead although its nominal time is over.
func (tt Timetable) Arm(t Task, set CalendarSet, now time.Time) (Task, error) {
	spec, err := tt.Compile(t, set)
	if err != nil {
		return t, err
	}
	if err := Usable(spec); err != nil {
		return t, err
	}
	switch {
	case !t.Enabled || t.exhausted() || !t.Timed():
		t.NextRun, t.Plan.NextNominal = nil, nil
		return t.lookAgain(now), nil
	case t.owes(now):
		return t, nil
	}
	o, ok := tt.first(t, spec, now)
	t.NextRun, t.Plan.NextNominal = nil, nil
	if !ok {
		return t, tt.noneLeft(t)
	}
	t.setNext(o)
	return t, nil
}

// owes reports whether occurrences have come due that are not planned yet: the
// planner is about to see the task, or it is paused and resumes there.
func (t Task) owes(now time.Time) bool {
	if t.Plan.NextNominal == nil {
		return false
	}
	return t.PauseReason != nil || t.NextRun != nil && !t.NextRun.After(now)
}

// first finds the occurrence a task goes on with: the first one that starts
// after now and was not planned before. A runAt that has just passed still
// counts, within the catch-up window.
func (tt Timetable) first(t Task, spec *schedule.Spec, now time.Time) (schedule.Occurrence, bool) {
	after := now
	switch next := t.Plan.NextNominal; {
	case t.ScheduleType == ScheduleOnce:
		after = now.Add(-t.Misfire.WindowMs.Duration())
	case next != nil && next.Before(now):
		after = next.Add(-time.Microsecond)
	}
	if last := t.Plan.LastNominal; last != nil && last.After(after) {
		after = *last
	}
	for o := range occurrences(spec, after) {
		if t.ScheduleType == ScheduleOnce || o.At.After(now) {
			return o, true
		}
	}
	return schedule.Occurrence{}, false
}

func (tt Timetable) noneLeft(t Task) error {
	switch {
	case t.ScheduleType == ScheduleOnce && t.Plan.LastNominal != nil && !t.RunAt.After(*t.Plan.LastNominal):
		return nil // it has run; changing something else about it is fine
	case t.ScheduleType != ScheduleOnce && t.Plan.LastNominal != nil:
		return nil // it has run to its end
	case t.ScheduleType == ScheduleOnce:
		return Invalid(CodeInvalidSchedule, []FieldProblem{{Field: "/runAt", Problem: fmt.Sprintf("is in the past, by more than misfire.windowMs allows (%s)", t.Misfire.WindowMs.Duration())}})
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
