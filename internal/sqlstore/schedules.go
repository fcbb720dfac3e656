package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// CreateSchedule implements core.ScheduleStore.
func (s *Store) CreateSchedule(ctx context.Context, sc core.Schedule, key *core.Idempotency) (core.Schedule, error) {
	var made core.Schedule
	var replayed bool
	err := s.write(ctx, "create schedule", func(ctx context.Context, c conn) (err error) {
		if made, replayed, err = replay(ctx, c, key, c.schedule); err != nil || replayed {
			return err
		}
		made = sc
		if err := c.holdShared(ctx, timings); err != nil { // DeleteCalendar counts who names it
			return err
		}
		if err := c.insertSchedule(ctx, sc); err != nil {
			return err
		}
		return c.keepKey(ctx, key, sc.ID)
	})
	switch {
	case err != nil:
		return core.Schedule{}, err
	case replayed:
		return made, core.ErrReplayed
	}
	return made, nil
}

// Schedule implements core.ScheduleStore.
func (s *Store) Schedule(ctx context.Context, id string) (core.Schedule, error) {
	sc, err := s.read().schedule(ctx, id)
	return sc, s.wrap("read schedule", err)
}

// Schedules implements core.ScheduleStore.
func (s *Store) Schedules(ctx context.Context, p core.Page) ([]core.Schedule, error) {
	var rows []scheduleRow
	err := s.read().list(ctx, &rows, `
		SELECT `+scheduleColumns+` FROM schedules
		WHERE ? = '' OR id < ?
		ORDER BY id DESC LIMIT ?`, p.After, p.After, p.Limit)
	if err != nil {
		return nil, s.wrap("list schedules", err)
	}
	schedules := make([]core.Schedule, len(rows))
	for i, r := range rows {
		schedules[i] = r.schedule()
	}
	return schedules, nil
}

// UpdateSchedule implements core.ScheduleStore. Its tasks are read and written
// in batches, so that a schedule with many tasks costs time and not memory.
func (s *Store) UpdateSchedule(ctx context.Context, id string, version int64,
	change func(now time.Time, sc core.Schedule) (core.Schedule, error),
	retime func(now time.Time, sc core.Schedule, t core.Task) (core.Task, error),
) (core.Schedule, error) {
	var changed core.Schedule
	err := s.write(ctx, "update schedule", func(ctx context.Context, c conn) error {
		sc, err := c.lockSchedule(ctx, id, version)
		if err != nil {
			return err
		}
		next, err := change(c.now, sc)
		if err != nil {
			return verbatim{err}
		}
		next.ID, next.CreatedAt, next.Version, next.UpdatedAt = sc.ID, sc.CreatedAt, sc.Version+1, c.now
		changed = next
		if err := c.updateSchedule(ctx, changed); err != nil {
			return err
		}
		return c.retimeTasks(ctx, changed, retime)
	})
	if err != nil {
		return core.Schedule{}, err
	}
	return changed, nil
}

func (c conn) retimeTasks(ctx context.Context, sc core.Schedule,
	retime func(now time.Time, sc core.Schedule, t core.Task) (core.Task, error),
) error {
	return c.rewriteTasks(ctx, `schedule_id = ?`, sc.ID, func(batch []core.Task) error {
		for i, t := range batch {
			next, err := retime(c.now, sc, t)
			if err != nil {
				return verbatim{err}
			}
			batch[i] = successor(t, next, c.now)
		}
		return nil
	})
}

// rewriteTasks replaces the tasks that a condition selects by what rewrite makes
// of them, a batch at a time.
func (c conn) rewriteTasks(ctx context.Context, condition, arg string, rewrite func(batch []core.Task) error) error {
	for after := ""; ; {
		var rows []taskRow
		err := c.list(ctx, &rows, `
			SELECT `+taskSelect+` FROM tasks
			WHERE `+condition+` AND id > ?
			ORDER BY id LIMIT ?`+c.dialect.lock, arg, after, maxBatch)
		if err != nil {
			return err
		}
		tasks := tasksOf(rows)
		if err := rewrite(tasks); err != nil {
			return err
		}
		if err := c.updateTasks(ctx, tasks); err != nil {
			return err
		}
		if len(rows) < maxBatch {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// DeleteSchedule implements core.ScheduleStore.
func (s *Store) DeleteSchedule(ctx context.Context, id string, version int64) error {
	return s.write(ctx, "delete schedule", func(ctx context.Context, c conn) error {
		if _, err := c.lockSchedule(ctx, id, version); err != nil {
			return err
		}
		var users int
		if err := c.get(ctx, &users, `SELECT COUNT(*) FROM tasks WHERE schedule_id = ?`, id); err != nil {
			return err
		}
		if users > 0 {
			return core.Errorf(core.CodeConflict, "schedule %s is used by %d tasks; give them another timing first", id, users)
		}
		_, err := c.exec(ctx, `DELETE FROM schedules WHERE id = ?`, id)
		return err
	})
}

func (c conn) schedule(ctx context.Context, id string) (core.Schedule, error) {
	return c.oneSchedule(ctx, `SELECT `+scheduleColumns+` FROM schedules WHERE id = ?`, id)
}

// lockSchedule reads a schedule that the transaction is going to change and
// checks its version.
func (c conn) lockSchedule(ctx context.Context, id string, version int64) (core.Schedule, error) {
	if err := c.hold(ctx, timings); err != nil {
		return core.Schedule{}, err
	}
	sc, err := c.oneSchedule(ctx, `SELECT `+scheduleColumns+` FROM schedules WHERE id = ?`+c.dialect.lock, id)
	if err != nil {
		return sc, err
	}
	return sc, checkVersion("schedule", id, version, sc.Version)
}

func (c conn) oneSchedule(ctx context.Context, query, id string) (core.Schedule, error) {
	var row scheduleRow
	err := c.get(ctx, &row, query, id)
	if errors.Is(err, sql.ErrNoRows) {
		return core.Schedule{}, notFound("schedule", id)
	}
	return row.schedule(), err
}

func (c conn) insertSchedule(ctx context.Context, sc core.Schedule) error {
	_, err := c.exec(ctx, `
		INSERT INTO schedules (`+scheduleColumns+`) VALUES `+tuples(1, scheduleColumnCount), scheduleArgs(sc)...)
	return err
}

func (c conn) updateSchedule(ctx context.Context, sc core.Schedule) error {
	_, err := c.exec(ctx, `
		UPDATE schedules SET name = ?, description = ?, timing = ?, version = ?, updated_at = ?
		WHERE id = ?`,
		sc.Name, sc.Description, document[core.Timing]{sc.Timing}, sc.Version, stamp(sc.UpdatedAt), sc.ID)
	return err
}
