package core

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// maxPauseReason bounds the text of a pause.
const maxPauseReason = 500

// defaultPauseReason is for those who give none: a reason that is empty reads
// like no pause.
const defaultPauseReason = "paused on request"

// PauseTask stops a task from planning, for a reason that people see. What is
// planned already runs, and POST /tasks/:id/execute still works. Pausing a
// paused task replaces the reason; none is defaultPauseReason. Errors:
// NOT_FOUND, VALIDATION_FAILED.
func (s *Scheduler) PauseTask(ctx context.Context, id, reason string) (Task, error) {
	var p problems
	p.text("/reason", reason, 0, maxPauseReason)
	if err := Invalid(CodeValidationFailed, p); err != nil {
		return Task{}, err
	}
	if strings.TrimSpace(reason) == "" {
		reason = defaultPauseReason
	}
	return s.store.UpdateTask(ctx, id, AnyVersion, func(_ time.Time, t Task) (Task, error) {
		return t.paused(reason), nil
	})
}

// ResumeTask lets a paused task plan again. What came due meanwhile is treated
// by its misfire policy. Resuming a task that is not paused changes nothing.
// Errors: NOT_FOUND, INVALID_SCHEDULE.
func (s *Scheduler) ResumeTask(ctx context.Context, id string) (Task, error) {
	t, err := s.store.Task(ctx, id)
	if err != nil || t.PauseReason == nil {
		return t, err
	}
	set, err := s.calendarsOf(ctx, t.Timing)
	if err != nil {
		return Task{}, err
	}
	t, err = s.store.UpdateTask(ctx, id, AnyVersion, func(now time.Time, t Task) (Task, error) {
		return s.timetable.resume(t, set, now)
	})
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return t, err
}

// paused is the task as it is while it is paused: it keeps its next nominal
// time, so that nothing is forgotten.
func (t Task) paused(reason string) Task {
	t.PauseReason, t.NextRun = &reason, nil
	return t
}

// resume puts a task back on the clock, where it stood when it was paused.
func (tt Timetable) resume(t Task, set CalendarSet, now time.Time) (Task, error) {
	t.PauseReason, t.Plan.Failures = nil, 0
	if !t.Enabled || t.Plan.NextNominal == nil {
		return t.lookAgain(now), nil
	}
	spec, err := tt.Compile(t, set)
	if err != nil {
		return t, err
	}
	for o := range t.occurrences(spec) {
		t.setNext(o)
		return t, nil
	}
	t.Plan.NextNominal = nil
	return t, nil
}

// lookAgain makes the planner look at a task that runs after others: while it
// was disabled or paused they may have done their part.
func (t Task) lookAgain(now time.Time) Task {
	if t.ScheduleType == ScheduleDependency && t.Enabled && t.PauseReason == nil && now.After(t.CreatedAt) {
		t.NextRun = utc(&now)
	}
	return t
}

// AfterExecution says what the end of one of its executions does to a task:
// failures in a row pause it, when it asks for that. Those of its dependencies
// do not count. changed is false when
// nothing happens.
func (t Task) AfterExecution(e Execution) (next Task, changed bool) {
	if t.PauseAfterFailures == 0 {
		return t, false
	}
	switch e.Status {
	case StatusSucceeded:
		changed = t.Plan.Failures > 0
		t.Plan.Failures = 0
		return t, changed
	case StatusFailed, StatusLost:
	default:
		return t, false
	}
	if e.ErrorCode != nil && *e.ErrorCode == CodeDependencyFailed {
		return t, false // it was not tried: the failure is another task's
	}
	t.Plan.Failures++
	if t.Plan.Failures >= t.PauseAfterFailures && t.PauseReason == nil {
		reason := fmt.Sprintf("%d executions in a row have failed", t.Plan.Failures)
		if e.Error != nil {
			reason += "; the last one: " + *e.Error
		}
		t = t.paused(clip(reason))
	}
	return t, true
}
