package sqlstore

import (
	"context"

	"github.com/nexuscore/scheduler/core"
)

// checkBasis looks whether what a task was computed from is still so.
func (c conn) checkBasis(ctx context.Context, t core.Task) error {
	if t.Basis == nil {
		return nil
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
