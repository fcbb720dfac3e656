package core

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// CreateSchedule validates and stores a shared schedule.
func (s *Scheduler) CreateSchedule(ctx context.Context, spec ScheduleSpec, key *Idempotency) (Schedule, error) {
	if sc, done, err := replay(ctx, s, key, s.store.Schedule); done || err != nil {
		return sc, err
	}
	now := s.clock.Now()
	sc := NewSchedule(spec, now)
	sc, _, err := s.prepareSchedule(ctx, sc)
	if err != nil {
		return Schedule{}, err
	}
	return s.store.CreateSchedule(ctx, sc, key)
}

func (s *Scheduler) prepareSchedule(ctx context.Context, sc Schedule) (Schedule, CalendarSet, error) {
	sc.Timing = sc.Timing.WithDefaults()
	if sc.ScheduleType == ScheduleRecurring && sc.StartAt == nil {
		sc.StartAt = utc(&sc.CreatedAt)
	}
	if err := sc.Validate(); err != nil {
		return sc, nil, err
	}
	set, err := s.calendarsOf(ctx, sc.Timing)
	if err != nil {
		return sc, nil, err
	}
	return sc, set, s.timetable.Check(Task{ID: sc.ID, TaskSpec: TaskSpec{Timing: sc.Timing}}, set)
}

// Schedule returns a schedule or NOT_FOUND.
func (s *Scheduler) Schedule(ctx context.Context, id string) (Schedule, error) {
	return s.store.Schedule(ctx, id)
}

// Schedules lists schedules, newest first.
func (s *Scheduler) Schedules(ctx context.Context, p Page) ([]Schedule, error) {
	return s.store.Schedules(ctx, p)
}

// UpdateSchedule replaces a schedule and re-times every task that uses it, in
// one step. Errors: NOT_FOUND, PRECONDITION_FAILED, those of CreateSchedule,
// and CONFLICT when a task cannot follow.
func (s *Scheduler) UpdateSchedule(ctx context.Context, id string, version int64, spec ScheduleSpec) (Schedule, error) {
	old, err := s.store.Schedule(ctx, id)
	if err != nil {
		return Schedule{}, err
	}
	next := NewSchedule(spec, old.CreatedAt)
	next.ID = old.ID
	next, set, err := s.prepareSchedule(ctx, next)
	if err != nil {
		return Schedule{}, err
	}
	change := func(_ time.Time, sc Schedule) (Schedule, error) {
		sc.ScheduleSpec = next.ScheduleSpec
		return sc, nil
	}
	sc, err := s.store.UpdateSchedule(ctx, id, version, change, func(now time.Time, sc Schedule, t Task) (Task, error) {
		if reflect.DeepEqual(t.Timing, sc.Timing) {
			return t, nil // what is due and not planned yet stays due
		}
		t.Timing = sc.Timing
		return s.retime(now, set, t)
	})
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return sc, err
}

// retime arms a task whose schedule or calendar has changed.
func (s *Scheduler) retime(now time.Time, set CalendarSet, t Task) (Task, error) {
	armed, err := s.timetable.Arm(t, set, now)
	if err != nil {
		e, _ := errors.AsType[*Error](err)
		return t, &Error{Code: CodeConflict, Message: fmt.Sprintf("task %s cannot follow the change: %s", t.ID, e.Message)}
	}
	return armed, nil
}

// DeleteSchedule removes a schedule that no task uses; else CONFLICT.
func (s *Scheduler) DeleteSchedule(ctx context.Context, id string, version int64) error {
	return s.store.DeleteSchedule(ctx, id, version)
}
