package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// CreateTask implements core.TaskStore.
func (s *Store) CreateTask(ctx context.Context, t core.Task, key *core.Idempotency) (core.Task, error) {
	var made core.Task
	var replayed bool
	err := s.write(ctx, "create task", func(ctx context.Context, c conn) (err error) {
		if made, replayed, err = replay(ctx, c, key, c.task); err != nil || replayed {
			return err
		}
		if err := c.checkBasis(ctx, t); err != nil {
			return err
		}
		made = t
		made.Basis = nil // t stays: this may run again
		if err := c.insertTask(ctx, made); err != nil {
			return err
		}
		if err := c.putDependencies(ctx, made); err != nil {
			return err
		}
		return c.keepKey(ctx, key, t.ID)
	})
	switch {
	case err != nil:
		return core.Task{}, err
	case replayed:
		return made, core.ErrReplayed
	}
	return made, nil
}

// Task implements core.TaskStore.
func (s *Store) Task(ctx context.Context, id string) (core.Task, error) {
	t, err := s.read().task(ctx, id)
	return t, s.wrap("read task", err)
}

// UpdateTask implements core.TaskStore.
func (s *Store) UpdateTask(ctx context.Context, id string, version int64,
	change func(now time.Time, t core.Task) (core.Task, error),
) (core.Task, error) {
	var changed core.Task
	err := s.write(ctx, "update task", func(ctx context.Context, c conn) error {
		if err := c.holdShared(ctx, timings); err != nil { // before the task, as those who change a schedule do
			return err
		}
		t, err := c.lockTask(ctx, id)
		if err != nil {
			return err
		}
		if err := checkVersion("task", id, version, t.Version); err != nil {
			return err
		}
		next, err := change(c.now, t)
		if err != nil {
			return verbatim{err}
		}
		if err := c.checkBasis(ctx, next); err != nil {
			return err
		}
		next.Basis = nil
		changed = successor(t, next, c.now)
		if err := c.updateTasks(ctx, []core.Task{changed}); err != nil || slices.Equal(t.DependsOn, changed.DependsOn) {
			return err
		}
		return c.putDependencies(ctx, changed)
	})
	if err != nil {
		return core.Task{}, err
	}
	return changed, nil
}

// successor is next as the version after t. What identifies a task is not the
// caller's to change.
func successor(t, next core.Task, now time.Time) core.Task {
	next.ID, next.CreatedAt = t.ID, t.CreatedAt
	next.Version, next.UpdatedAt = t.Version+1, now
	return next
}

// DeleteTask implements core.TaskStore.
func (s *Store) DeleteTask(ctx context.Context, id string, version int64) ([]string, error) {
	var running []string
	err := s.write(ctx, "delete task", func(ctx context.Context, c conn) error {
		if err := c.holdShared(ctx, judging); err != nil { // its executions end
			return err
		}
		if err := c.lockLiveOf(ctx, id); err != nil {
			return err
		}
		t, err := c.oneTask(ctx, `SELECT `+taskSelect+` FROM tasks WHERE id = ?`+c.dialect.lockToDelete, id)
		if err != nil {
			return err
		}
		if err := checkVersion("task", id, version, t.Version); err != nil {
			return err
		}
		if err := c.refuseDependents(ctx, id); err != nil {
			return err
		}
		if _, running, err = c.cancelLive(ctx, []string{id}, "task deleted"); err != nil {
			return err
		}
		_, err = c.exec(ctx, `DELETE FROM tasks WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return running, nil
}

// Tasks implements core.TaskStore.
func (s *Store) Tasks(ctx context.Context, f core.TaskFilter, p core.Page) ([]core.Task, error) {
	where, args := s.taskConditions(f, p)
	var rows []taskRow
	err := s.read().list(ctx, &rows, `
		SELECT `+taskSelect+` FROM tasks
		WHERE `+strings.Join(where, ` AND `)+`
		ORDER BY id DESC LIMIT ?`, append(args, p.Limit)...)
	if err != nil {
		return nil, s.wrap("list tasks", err)
	}
	return tasksOf(rows), nil
}

func (s *Store) taskConditions(f core.TaskFilter, p core.Page) (where []string, args []any) {
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	add(`1 = 1`)
	if p.After != "" {
		add(`id < ?`, p.After)
	}
	if f.Type != "" {
		add(`type = ?`, f.Type)
	}
	if f.Enabled != nil {
		add(`enabled = ?`, *f.Enabled)
	}
	if f.ScheduleID != "" {
		add(`schedule_id = ?`, f.ScheduleID)
	}
	if f.Query != "" {
		add(s.dialect.nameHas, strings.ToLower(f.Query))
	}
	for name, value := range f.Labels {
		add(`labels ->> ? = ?`, name, value)
	}
	return where, args
}

func (c conn) task(ctx context.Context, id string) (core.Task, error) {
	return c.oneTask(ctx, `SELECT `+taskSelect+` FROM tasks WHERE id = ?`, id)
}

// lockTask reads a task that the transaction is going to change.
func (c conn) lockTask(ctx context.Context, id string) (core.Task, error) {
	return c.oneTask(ctx, `SELECT `+taskSelect+` FROM tasks WHERE id = ?`+c.dialect.lock, id)
}

func (c conn) oneTask(ctx context.Context, query, id string) (core.Task, error) {
	var row taskRow
	err := c.get(ctx, &row, query, id)
	if errors.Is(err, sql.ErrNoRows) {
		return core.Task{}, notFound("task", id)
	}
	return row.task(), err
}

func (c conn) insertTask(ctx context.Context, t core.Task) error {
	_, err := c.exec(ctx, `
		INSERT INTO tasks (`+taskColumns+`) VALUES `+tuples(1, taskColumnCount), taskArgs(t)...)
	return err
}

// updateTasks writes tasks that the transaction has read and locked.
func (c conn) updateTasks(ctx context.Context, tasks []core.Task) error {
	return inBatches(tasks, func(batch []core.Task) error {
		args := make([]any, 0, len(batch)*taskColumnCount)
		for _, t := range batch {
			args = append(args, taskArgs(t)...)
		}
		v, args := c.table(taskColumns, args)
		_, err := c.exec(ctx, `
			WITH v (`+taskColumns+`) AS (`+v+`)
			UPDATE tasks SET
				name = v.name, type = v.type, schedule_type = v.schedule_type,
				cron_expression = v.cron_expression, timezone = v.timezone, data = v.data,
				enabled = v.enabled, next_run = v.next_run, last_run = v.last_run, updated_at = v.updated_at,
				description = v.description, schedule_id = v.schedule_id, timing = v.timing,
				policy = v.policy, labels = v.labels, next_nominal = v.next_nominal,
				last_nominal = v.last_nominal, runs = v.runs, failures = v.failures,
				since = v.since, depends_on = v.depends_on, pause_reason = v.pause_reason, version = v.version
			FROM v WHERE tasks.id = v.id`, args...)
		return err
	})
}
