package sqlstore

import (
	"context"

	"github.com/nexuscore/scheduler/core"
)

// timings is held, shared, by those who write a task by schedules and calendars,
// and alone by those who change these: a task is then either seen and re-timed,
// or computed from what is new.
const timings = "timings"

// checkBasis looks whether what a task was computed from is still so.
func (c conn) checkBasis(ctx context.Context, t core.Task) error {
	if t.Basis == nil {
		return nil
	}
	if err := c.holdShared(ctx, timings); err != nil {
		return err
	}
	var shared *core.Schedule
	if t.ScheduleID != nil {
		sc, err := c.schedule(ctx, *t.ScheduleID)
		if core.CodeOf(err) == core.CodeNotFound {
			return verbatim{core.ErrBasisChanged}
		}
		if err != nil {
			return err
		}
		shared = &sc
	}
	set, err := c.calendarSet(ctx, t.Calendars)
	if err != nil {
		return err
	}
	if err := t.CheckBasis(shared, set); err != nil {
		return verbatim{err}
	}
	return nil
}

// CalendarByID implements core.CalendarStore.
func (s *Store) CalendarByID(ctx context.Context, id string) (core.Calendar, error) {
	cal, err := s.read().calendarByID(ctx, id)
	return cal, s.wrap("read calendar", err)
}

// MadeBefore implements core.RequestStore.
func (s *Store) MadeBefore(ctx context.Context, key core.Idempotency) (string, error) {
	id, _, err := s.read().madeBefore(ctx, &key)
	return id, s.wrap("look up request", err)
}
