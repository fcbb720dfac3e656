package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// calendarColumns lists the columns of calendars in the order of calendarArgs.
const calendarColumns = `id, name, spec, version, created_at, updated_at`

const calendarColumnCount = 6

type calendarRow struct {
	ID        string                      `db:"id"`
	Name      string                      `db:"name"`
	Spec      document[core.CalendarSpec] `db:"spec"`
	Version   int64                       `db:"version"`
	CreatedAt timestamp                   `db:"created_at"`
	UpdatedAt timestamp                   `db:"updated_at"`
}

func (r calendarRow) calendar() core.Calendar {
	return core.Calendar{
		ID: r.ID, CalendarSpec: r.Spec.value, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, Version: r.Version,
	}
}

func calendarArgs(cal core.Calendar) []any {
	return []any{
		cal.ID, cal.Name, document[core.CalendarSpec]{cal.CalendarSpec}, cal.Version, stamp(cal.CreatedAt), stamp(cal.UpdatedAt),
	}
}

func calendarsIn(rows []calendarRow) []core.Calendar {
	calendars := make([]core.Calendar, len(rows))
	for i, r := range rows {
		calendars[i] = r.calendar()
	}
	return calendars
}

// CreateCalendar implements core.CalendarStore.
func (s *Store) CreateCalendar(ctx context.Context, cal core.Calendar, key *core.Idempotency) (core.Calendar, error) {
	var made core.Calendar
	var replayed bool
	err := s.write(ctx, "create calendar", func(ctx context.Context, c conn) (err error) {
		if made, replayed, err = replay(ctx, c, key, c.calendarByID); err != nil || replayed {
			return err
		}
		switch _, err := c.calendar(ctx, cal.Name); {
		case err == nil:
			return core.Errorf(core.CodeConflict, "calendar %s exists", cal.Name)
		case core.CodeOf(err) != core.CodeNotFound:
			return err
		}
		made = cal
		if _, err := c.exec(ctx, `
			INSERT INTO calendars (`+calendarColumns+`) VALUES `+tuples(1, calendarColumnCount), calendarArgs(cal)...); err != nil {
			return err
		}
		return c.keepKey(ctx, key, cal.ID)
	})
	switch {
	case err != nil:
		return core.Calendar{}, err
	case replayed:
		return made, core.ErrReplayed
	}
	return made, nil
}

// Calendar implements core.CalendarStore.
func (s *Store) Calendar(ctx context.Context, name string) (core.Calendar, error) {
	cal, err := s.read().calendar(ctx, name)
	return cal, s.wrap("read calendar", err)
}

// CalendarSet implements core.CalendarStore.
func (s *Store) CalendarSet(ctx context.Context, names []string) (core.CalendarSet, error) {
	set, err := s.read().calendarSet(ctx, names)
	return set, s.wrap("read calendars", err)
}

// Calendars implements core.CalendarStore.
func (s *Store) Calendars(ctx context.Context, p core.Page) ([]core.Calendar, error) {
	var rows []calendarRow
	err := s.read().list(ctx, &rows, `
		SELECT `+calendarColumns+` FROM calendars
		WHERE ? = '' OR id < ?
		ORDER BY id DESC LIMIT ?`, p.After, p.After, p.Limit)
	if err != nil {
		return nil, s.wrap("list calendars", err)
	}
	return calendarsIn(rows), nil
}

// UpdateCalendar implements core.CalendarStore.
func (s *Store) UpdateCalendar(ctx context.Context, name string, version int64,
	change func(now time.Time, cal core.Calendar) (core.Calendar, error),
	retime func(now time.Time, set core.CalendarSet, t core.Task) (core.Task, error),
) (core.Calendar, error) {
	var changed core.Calendar
	err := s.write(ctx, "update calendar", func(ctx context.Context, c conn) error {
		cal, err := c.lockCalendar(ctx, name, version)
		if err != nil {
			return err
		}
		next, err := change(c.now, cal)
		if err != nil {
			return verbatim{err}
		}
		next.ID, next.Name, next.CreatedAt, next.Version, next.UpdatedAt = cal.ID, cal.Name, cal.CreatedAt, cal.Version+1, c.now
		changed = next
		if _, err := c.exec(ctx, `UPDATE calendars SET spec = ?, version = ?, updated_at = ? WHERE id = ?`,
			document[core.CalendarSpec]{next.CalendarSpec}, next.Version, stamp(next.UpdatedAt), next.ID); err != nil {
			return err
		}
		return c.retimeByCalendar(ctx, name, retime)
	})
	if err != nil {
		return core.Calendar{}, err
	}
	return changed, nil
}

func (c conn) retimeByCalendar(ctx context.Context, name string,
	retime func(now time.Time, set core.CalendarSet, t core.Task) (core.Task, error),
) error {
	return c.rewriteTasks(ctx, c.dialect.inCalendar, name, func(batch []core.Task) error {
		set, err := c.calendarSet(ctx, calendarsOf(batch))
		if err != nil {
			return err
		}
		for i, t := range batch {
			next, err := retime(c.now, set, t)
			if err != nil {
				return verbatim{err}
			}
			batch[i] = successor(t, next, c.now)
		}
		return nil
	})
}

// DeleteCalendar implements core.CalendarStore.
func (s *Store) DeleteCalendar(ctx context.Context, name string, version int64) error {
	return s.write(ctx, "delete calendar", func(ctx context.Context, c conn) error {
		cal, err := c.lockCalendar(ctx, name, version)
		if err != nil {
			return err
		}
		var users int
		if err := c.get(ctx, &users, `
			SELECT (SELECT COUNT(*) FROM tasks WHERE `+c.dialect.inCalendar+`)
			     + (SELECT COUNT(*) FROM schedules WHERE `+c.dialect.inCalendar+`)`, name, name); err != nil {
			return err
		}
		if users > 0 {
			return core.Errorf(core.CodeConflict, "calendar %s is named by %d tasks and schedules; change them first", name, users)
		}
		_, err = c.exec(ctx, `DELETE FROM calendars WHERE id = ?`, cal.ID)
		return err
	})
}

func (c conn) calendar(ctx context.Context, name string) (core.Calendar, error) {
	return c.oneCalendar(ctx, `SELECT `+calendarColumns+` FROM calendars WHERE name = ?`, name)
}

func (c conn) calendarByID(ctx context.Context, id string) (core.Calendar, error) {
	return c.oneCalendar(ctx, `SELECT `+calendarColumns+` FROM calendars WHERE id = ?`, id)
}

// lockCalendar reads a calendar that the transaction is going to change and
// checks its version.
func (c conn) lockCalendar(ctx context.Context, name string, version int64) (core.Calendar, error) {
	if err := c.hold(ctx, timings); err != nil {
		return core.Calendar{}, err
	}
	cal, err := c.oneCalendar(ctx, `SELECT `+calendarColumns+` FROM calendars WHERE name = ?`+c.dialect.lock, name)
	if err != nil {
		return cal, err
	}
	return cal, checkVersion("calendar", name, version, cal.Version)
}

func (c conn) oneCalendar(ctx context.Context, query, key string) (core.Calendar, error) {
	var row calendarRow
	err := c.get(ctx, &row, query, key)
	if errors.Is(err, sql.ErrNoRows) {
		return core.Calendar{}, notFound("calendar", key)
	}
	return row.calendar(), err
}

func (c conn) calendarSet(ctx context.Context, names []string) (core.CalendarSet, error) {
	rows, err := listIn[calendarRow](ctx, c, `SELECT `+calendarColumns+` FROM calendars WHERE name IN (?)`, names)
	return core.CalendarSetOf(calendarsIn(rows)), err
}

// calendarsOf lists the calendars that tasks name, each once.
func calendarsOf(tasks []core.Task) []string {
	var names []string
	for _, t := range tasks {
		names = append(names, t.Calendars...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
