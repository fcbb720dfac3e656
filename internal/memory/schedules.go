package memory

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// scheduleTable keeps shared schedules. A row never changes; it is replaced.
type scheduleTable struct {
	rows map[string]*core.Schedule
	ids  ids
}

func newScheduleTable() *scheduleTable {
	return &scheduleTable{rows: map[string]*core.Schedule{}}
}

func (t *scheduleTable) put(row core.Schedule) {
	t.rows[row.ID] = &row
	t.ids.add(row.ID)
}

func (t *scheduleTable) get(id string, version int64) (core.Schedule, error) {
	row, ok := t.rows[id]
	if !ok {
		return core.Schedule{}, notFound("schedule", id)
	}
	if err := checkVersion("schedule", id, row.Version, version); err != nil {
		return core.Schedule{}, err
	}
	return cloneSchedule(*row), nil
}

// CreateSchedule stores a new schedule.
func (s *Store) CreateSchedule(ctx context.Context, sc core.Schedule, key *core.Idempotency) (core.Schedule, error) {
	now, err := s.begin(ctx, "create schedule")
	if err != nil {
		return core.Schedule{}, err
	}
	defer s.end()

	made, err := s.requests.made(key)
	if err != nil {
		return core.Schedule{}, err
	}
	if row, ok := s.schedules.rows[made]; ok {
		return cloneSchedule(*row), core.ErrReplayed
	}
	if _, ok := s.schedules.rows[sc.ID]; ok {
		return core.Schedule{}, core.Errorf(core.CodeConflict, "schedule %s exists", sc.ID)
	}
	s.schedules.put(cloneSchedule(sc))
	s.requests.remember(key, sc.ID, now)
	return cloneSchedule(sc), nil
}

// Schedule returns a schedule or NOT_FOUND.
func (s *Store) Schedule(ctx context.Context, id string) (core.Schedule, error) {
	if _, err := s.begin(ctx, "read schedule"); err != nil {
		return core.Schedule{}, err
	}
	defer s.end()
	return s.schedules.get(id, core.AnyVersion)
}

// UpdateSchedule replaces a schedule by what change makes of it and every task
// that uses it by what retime makes of that. An error of either changes nothing.
func (s *Store) UpdateSchedule(ctx context.Context, id string, version int64,
	change func(now time.Time, s core.Schedule) (core.Schedule, error),
	retime func(now time.Time, s core.Schedule, t core.Task) (core.Task, error),
) (core.Schedule, error) {
	now, err := s.begin(ctx, "update schedule")
	if err != nil {
		return core.Schedule{}, err
	}
	defer s.end()

	old, err := s.schedules.get(id, version)
	if err != nil {
		return core.Schedule{}, err
	}
	sc, err := change(now, cloneSchedule(old))
	if err != nil {
		return core.Schedule{}, err
	}
	sc.ID, sc.CreatedAt, sc.Version, sc.UpdatedAt = id, old.CreatedAt, old.Version+1, now
	retimed, err := s.retimed(sc, now, retime)
	if err != nil {
		return core.Schedule{}, err
	}
	s.schedules.put(cloneSchedule(sc))
	for _, t := range retimed {
		s.tasks.put(t)
	}
	return cloneSchedule(sc), nil
}

// retimed returns the schedule's tasks as retime makes them, none stored yet.
func (s *Store) retimed(sc core.Schedule, now time.Time, retime func(time.Time, core.Schedule, core.Task) (core.Task, error)) ([]core.Task, error) {
	var retimed []core.Task
	for id := range s.users(sc.ID) {
		old := s.tasks.rows[id]
		t, err := retime(now, cloneSchedule(sc), cloneTask(*old))
		if err != nil {
			return nil, err
		}
		// The version grows: whoever computed from the old timing must look again.
		retimed = append(retimed, cloneTask(successor(*old, t, now)))
	}
	return retimed, nil
}

// users walks the ids of the tasks that use a schedule.
func (s *Store) users(scheduleID string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for id := range s.tasks.ids.before("") {
			t := s.tasks.rows[id]
			if t.ScheduleID != nil && *t.ScheduleID == scheduleID && !yield(id) {
				return
			}
		}
	}
}

// DeleteSchedule removes a schedule, or fails with CONFLICT while tasks use it.
func (s *Store) DeleteSchedule(ctx context.Context, id string, version int64) error {
	if _, err := s.begin(ctx, "delete schedule"); err != nil {
		return err
	}
	defer s.end()

	if _, err := s.schedules.get(id, version); err != nil {
		return err
	}
	for user := range s.users(id) {
		return core.Errorf(core.CodeConflict, "schedule %s is used by task %s", id, user)
	}
	delete(s.schedules.rows, id)
	s.schedules.ids.remove(id)
	return nil
}

// Schedules lists schedules, newest first.
func (s *Store) Schedules(ctx context.Context, p core.Page) ([]core.Schedule, error) {
	if _, err := s.begin(ctx, "list schedules"); err != nil {
		return nil, err
	}
	defer s.end()

	page := []core.Schedule{}
	for id := range s.schedules.ids.before(p.After) {
		if len(page) >= p.Limit {
			break
		}
		page = append(page, cloneSchedule(*s.schedules.rows[id]))
	}
	return page, nil
}
