package core

import (
	"context"
	"reflect"
	"time"
)

// CreateCalendar validates and stores a calendar. Errors: VALIDATION_FAILED,
// CONFLICT when the name is taken.
func (s *Scheduler) CreateCalendar(ctx context.Context, spec CalendarSpec, key *Idempotency) (Calendar, error) {
	if c, done, err := replay(ctx, s, key, s.store.CalendarByID); done || err != nil {
		return c, err
	}
	c := NewCalendar(spec, s.clock.Now())
	if err := c.Validate(); err != nil {
		return Calendar{}, err
	}
	return s.store.CreateCalendar(ctx, c, key)
}

// Calendar returns a calendar by its name, or NOT_FOUND.
func (s *Scheduler) Calendar(ctx context.Context, name string) (Calendar, error) {
	return s.store.Calendar(ctx, name)
}

// Calendars lists calendars, newest first.
func (s *Scheduler) Calendars(ctx context.Context, p Page) ([]Calendar, error) {
	return s.store.Calendars(ctx, p)
}

// UpdateCalendar replaces a calendar and re-times every task that names it, in
// one step. Errors: NOT_FOUND, PRECONDITION_FAILED, VALIDATION_FAILED, and
// CONFLICT when a task would never run again.
func (s *Scheduler) UpdateCalendar(ctx context.Context, name string, version int64, spec CalendarSpec) (Calendar, error) {
	if spec.Name == "" {
		spec.Name = name
	}
	spec = spec.normalized()
	if err := spec.Validate(); err != nil {
		return Calendar{}, err
	}
	if spec.Name != name {
		return Calendar{}, Invalid(CodeValidationFailed, []FieldProblem{{Field: "/name", Problem: "a calendar's name cannot change: tasks refer to it"}})
	}
	same := false
	change := func(_ time.Time, c Calendar) (Calendar, error) {
		same = reflect.DeepEqual(c.rule(), spec.rule())
		c.CalendarSpec = spec
		return c, nil
	}
	c, err := s.store.UpdateCalendar(ctx, name, version, change, func(now time.Time, set CalendarSet, t Task) (Task, error) {
		if same {
			return t, nil // what is due and not planned yet stays due
		}
		return s.retime(now, set, t)
	})
	if err == nil {
		s.signals.Send(ctx, Signal{Kind: SignalPlan})
	}
	return c, err
}

// DeleteCalendar removes a calendar that nothing names; else CONFLICT.
func (s *Scheduler) DeleteCalendar(ctx context.Context, name string, version int64) error {
	return s.store.DeleteCalendar(ctx, name, version)
}
