package memory

import (
	"context"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// CreateTask stores a new task.
func (s *Store) CreateTask(ctx context.Context, t core.Task, key *core.Idempotency) (core.Task, error) {
	now, err := s.begin(ctx, "create task")
	if err != nil {
		return core.Task{}, err
	}
	defer s.end()

	made, err := s.requests.made(key)
	if err != nil {
		return core.Task{}, err
	}
	if row, ok := s.tasks.rows[made]; ok {
		return cloneTask(*row), core.ErrReplayed
	}
	if _, ok := s.tasks.rows[t.ID]; ok {
		return core.Task{}, core.Errorf(core.CodeConflict, "task %s exists", t.ID)
	}
	if err := s.checkReferences(&t); err != nil {
		return core.Task{}, err
	}
	s.tasks.put(cloneTask(t))
	s.requests.remember(key, t.ID, now)
	return cloneTask(t), nil
}

// Task returns a task or NOT_FOUND.
func (s *Store) Task(ctx context.Context, id string) (core.Task, error) {
	if _, err := s.begin(ctx, "read task"); err != nil {
		return core.Task{}, err
	}
	defer s.end()
	return s.tasks.get(id, core.AnyVersion)
}

// UpdateTask replaces a task by what change makes of it.
func (s *Store) UpdateTask(ctx context.Context, id string, version int64, change func(now time.Time, t core.Task) (core.Task, error)) (core.Task, error) {
	now, err := s.begin(ctx, "update task")
	if err != nil {
		return core.Task{}, err
	}
	defer s.end()

	old, err := s.tasks.get(id, version)
	if err != nil {
		return core.Task{}, err
	}
	t, err := change(now, cloneTask(old))
	if err != nil {
		return core.Task{}, err
	}
	t = successor(old, t, now)
	if err := s.checkReferences(&t); err != nil {
		return core.Task{}, err
	}
	s.tasks.put(cloneTask(t))
	return cloneTask(t), nil
}

// successor is next as the version after old. What identifies a task is not the
// caller's to change.
func successor(old, next core.Task, now time.Time) core.Task {
	next.ID, next.CreatedAt = old.ID, old.CreatedAt
	next.Version, next.UpdatedAt = old.Version+1, now
	return next
}

// DeleteTask removes a task, ends its waiting executions and asks the running
// ones to end. Its history stays.
func (s *Store) DeleteTask(ctx context.Context, id string, version int64) ([]string, error) {
	now, err := s.begin(ctx, "delete task")
	if err != nil {
		return nil, err
	}
	defer s.end()

	if _, err := s.tasks.get(id, version); err != nil {
		return nil, err
	}
	if n := s.countDependents(id); n > 0 {
		return nil, core.Errorf(core.CodeConflict, "%d tasks depend on task %s; change them first", n, id)
	}
	s.tasks.remove(id)
	_, running := s.endActive(id, reasonTaskDeleted, now)
	return running, nil
}

// Tasks lists tasks, newest first.
func (s *Store) Tasks(ctx context.Context, f core.TaskFilter, p core.Page) ([]core.Task, error) {
	if _, err := s.begin(ctx, "list tasks"); err != nil {
		return nil, err
	}
	defer s.end()

	page := []core.Task{}
	for id := range s.tasks.ids.before(p.After) {
		if len(page) >= p.Limit {
			break
		}
		if row := s.tasks.rows[id]; selectsTask(f, row) {
			page = append(page, cloneTask(*row))
		}
	}
	return page, nil
}

func selectsTask(f core.TaskFilter, t *core.Task) bool {
	return (f.Type == "" || f.Type == t.Type) &&
		(f.Enabled == nil || *f.Enabled == t.Enabled) &&
		(f.ScheduleID == "" || t.ScheduleID != nil && *t.ScheduleID == f.ScheduleID) &&
		hasLabels(t, f.Labels) &&
		strings.Contains(strings.ToLower(t.Name), strings.ToLower(f.Query))
}

func hasLabels(t *core.Task, wanted map[string]string) bool {
	for name, value := range wanted {
		if have, ok := t.Labels[name]; !ok || have != value {
			return false
		}
	}
	return true
}
