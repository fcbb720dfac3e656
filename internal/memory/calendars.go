package memory

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// calendarTable keeps calendars by name. A row never changes; it is replaced.
type calendarTable struct {
	rows map[string]*core.Calendar // by name
	byID map[string]string         // id → name
	ids  ids
}

func newCalendarTable() *calendarTable {
	return &calendarTable{rows: map[string]*core.Calendar{}, byID: map[string]string{}}
}

func (t *calendarTable) put(row core.Calendar) {
	t.rows[row.Name] = &row
	t.byID[row.ID] = row.Name
	t.ids.add(row.ID)
}

func (t *calendarTable) remove(row core.Calendar) {
	delete(t.rows, row.Name)
	delete(t.byID, row.ID)
	t.ids.remove(row.ID)
}

func (t *calendarTable) get(name string, version int64) (core.Calendar, error) {
	row, ok := t.rows[name]
	if !ok {
		return core.Calendar{}, notFound("calendar", name)
	}
	if err := checkVersion("calendar", name, row.Version, version); err != nil {
		return core.Calendar{}, err
	}
	return cloneCalendar(*row), nil
}

// set returns those of the named calendars that exist.
func (t *calendarTable) set(names []string) core.CalendarSet {
	var found []core.Calendar
	for _, name := range names {
		if row, ok := t.rows[name]; ok {
			found = append(found, cloneCalendar(*row))
		}
	}
	return core.CalendarSetOf(found)
}

// CreateCalendar stores a new calendar.
func (s *Store) CreateCalendar(ctx context.Context, c core.Calendar, key *core.Idempotency) (core.Calendar, error) {
	now, err := s.begin(ctx, "create calendar")
	if err != nil {
		return core.Calendar{}, err
	}
	defer s.end()

	made, err := s.requests.made(key)
	if err != nil {
		return core.Calendar{}, err
	}
	if name, ok := s.calendars.byID[made]; ok {
		return cloneCalendar(*s.calendars.rows[name]), core.ErrReplayed
	}
	if _, ok := s.calendars.rows[c.Name]; ok {
		return core.Calendar{}, core.Errorf(core.CodeConflict, "calendar %s exists", c.Name)
	}
	s.calendars.put(cloneCalendar(c))
	s.requests.remember(key, c.ID, now)
	return cloneCalendar(c), nil
}

// Calendar returns a calendar or NOT_FOUND.
func (s *Store) Calendar(ctx context.Context, name string) (core.Calendar, error) {
	if _, err := s.begin(ctx, "read calendar"); err != nil {
		return core.Calendar{}, err
	}
	defer s.end()
	return s.calendars.get(name, core.AnyVersion)
}

// CalendarSet returns those of the named calendars that exist.
func (s *Store) CalendarSet(ctx context.Context, names []string) (core.CalendarSet, error) {
	if _, err := s.begin(ctx, "read calendars"); err != nil {
		return nil, err
	}
	defer s.end()
	return s.calendars.set(names), nil
}

// UpdateCalendar replaces a calendar by what change makes of it and every task
// that names it by what retime makes of that. An error of either changes
// nothing.
func (s *Store) UpdateCalendar(ctx context.Context, name string, version int64,
	change func(now time.Time, c core.Calendar) (core.Calendar, error),
	retime func(now time.Time, set core.CalendarSet, t core.Task) (core.Task, error),
) (core.Calendar, error) {
	now, err := s.begin(ctx, "update calendar")
	if err != nil {
		return core.Calendar{}, err
	}
	defer s.end()

	old, err := s.calendars.get(name, version)
	if err != nil {
		return core.Calendar{}, err
	}
	c, err := change(now, cloneCalendar(old))
	if err != nil {
		return core.Calendar{}, err
	}
	c.ID, c.Name, c.CreatedAt, c.Version, c.UpdatedAt = old.ID, old.Name, old.CreatedAt, old.Version+1, now
	s.calendars.put(cloneCalendar(c))
	retimed, err := s.retimedBy(name, now, retime)
	if err != nil {
		s.calendars.put(old)
		return core.Calendar{}, err
	}
	for _, t := range retimed {
		s.tasks.put(t)
	}
	return cloneCalendar(c), nil
}

// retimedBy returns the tasks that name a calendar as retime makes them.
func (s *Store) retimedBy(name string, now time.Time, retime func(time.Time, core.CalendarSet, core.Task) (core.Task, error)) ([]core.Task, error) {
	var retimed []core.Task
	for id := range s.tasks.ids.before("") {
		old := s.tasks.rows[id]
		if !slices.Contains(old.Calendars, name) {
			continue
		}
		t, err := retime(now, s.calendars.set(old.Calendars), cloneTask(*old))
		if err != nil {
			return nil, err
		}
		retimed = append(retimed, cloneTask(successor(*old, t, now)))
	}
	return retimed, nil
}

// DeleteCalendar removes a calendar, or fails with CONFLICT while it is named.
func (s *Store) DeleteCalendar(ctx context.Context, name string, version int64) error {
	if _, err := s.begin(ctx, "delete calendar"); err != nil {
		return err
	}
	defer s.end()

	c, err := s.calendars.get(name, version)
	if err != nil {
		return err
	}
	for _, t := range s.tasks.rows {
		if slices.Contains(t.Calendars, name) {
			return core.Errorf(core.CodeConflict, "calendar %s is used by task %s", name, t.ID)
		}
	}
	for _, sc := range s.schedules.rows {
		if slices.Contains(sc.Calendars, name) {
			return core.Errorf(core.CodeConflict, "calendar %s is used by schedule %s", name, sc.ID)
		}
	}
	s.calendars.remove(c)
	return nil
}

// Calendars lists calendars, newest first.
func (s *Store) Calendars(ctx context.Context, p core.Page) ([]core.Calendar, error) {
	if _, err := s.begin(ctx, "list calendars"); err != nil {
		return nil, err
	}
	defer s.end()

	page := []core.Calendar{}
	for id := range s.calendars.ids.before(p.After) {
		if len(page) >= p.Limit {
			break
		}
		page = append(page, cloneCalendar(*s.calendars.rows[s.calendars.byID[id]]))
	}
	return page, nil
}

// CalendarByID returns a calendar or NOT_FOUND.
func (s *Store) CalendarByID(ctx context.Context, id string) (core.Calendar, error) {
	if _, err := s.begin(ctx, "read calendar"); err != nil {
		return core.Calendar{}, err
	}
	defer s.end()
	name, ok := s.calendars.byID[id]
	if !ok {
		return core.Calendar{}, notFound("calendar", id)
	}
	return s.calendars.get(name, core.AnyVersion)
}
