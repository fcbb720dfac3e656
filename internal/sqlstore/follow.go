package sqlstore

import (
	"context"
	"slices"

	"github.com/nexuscore/scheduler/core"
)

// follow applies what the ends of executions do to their tasks, to those that
// depend on them and to the outbox.
func (c conn) follow(ctx context.Context, settled []core.Execution) error {
	return c.followLocking(ctx, settled, c.dialect.lockAll)
}

// followNow is follow for a transaction that holds tasks already: it must wait
// for nobody.
func (c conn) followNow(ctx context.Context, settled []core.Execution) error {
	return c.followLocking(ctx, settled, c.dialect.lockNow)
}

func (c conn) followLocking(ctx context.Context, settled []core.Execution, lock string) error {
	if err := c.post(ctx, core.MessagesOf(settled, c.now)); err != nil {
		return err
	}
	dependents, err := c.dependentsOf(ctx, settled)
	if err != nil {
		return err
	}
	if err := c.pokeExecutions(ctx, dependents, lock); err != nil {
		return err
	}
	failing, ids := counted(settled)
	if len(ids) > 0 && len(dependents) > 0 { // both lock tasks: in one order
		if err := c.lockTasks(ctx, append(slices.Clone(ids), dependents...), lock); err != nil {
			return err
		}
	}
	if err := c.pauseFailing(ctx, failing, ids, lock); err != nil {
		return err
	}
	return c.pokeTasks(ctx, dependents, lock)
}

// counted are the ends that count for a pause, and their tasks.
func counted(settled []core.Execution) (ended []core.Execution, tasks []string) {
	for _, e := range settled {
		if e.Status.Final() && e.Policy.PauseAfterFailures > 0 {
			ended, tasks = append(ended, e), append(tasks, e.TaskID)
		}
	}
	slices.Sort(tasks)
	return ended, slices.Compact(tasks)
}

// lockTasks locks tasks in order, for several statements that have orders of
// their own.
func (c conn) lockTasks(ctx context.Context, ids []string, lock string) error {
	if lock == "" {
		return nil
	}
	ids = slices.Sorted(slices.Values(ids))
	_, err := listIn[string](ctx, c, `SELECT id FROM tasks WHERE id IN (?)`+lock, slices.Compact(ids))
	return err
}

// pauseFailing counts failures in a row. Only tasks that ask for it are read, so
// it costs the others nothing.
func (c conn) pauseFailing(ctx context.Context, ended []core.Execution, ids []string, lock string) error {
	rows, err := listIn[taskRow](ctx, c, `SELECT `+taskColumns+` FROM tasks WHERE id IN (?)`+lock, ids)
	if err != nil {
		return err
	}
	tasks, changed := map[string]core.Task{}, map[string]bool{}
	for _, t := range tasksOf(rows) {
		tasks[t.ID] = t
	}
	for _, e := range ended {
		t, ok := tasks[e.TaskID]
		if !ok {
			continue // deleted meanwhile
		}
		if next, affected := t.AfterExecution(e); affected {
			tasks[e.TaskID], changed[e.TaskID] = successor(t, next, c.now), true
		}
	}
	var write []core.Task
	for id := range changed {
		write = append(write, tasks[id])
	}
	return c.updateTasks(ctx, write)
}
