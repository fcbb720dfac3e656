package sqlstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// follow applies what the ends of executions do to their tasks, to those that
// depend on them and to the outbox.
func (c conn) follow(ctx context.Context, settled []core.Execution) error {
	return c.followLocking(ctx, settled, nil, c.dialect.lockAll)
}

// followRuns is follow for executions that have run.
func (c conn) followRuns(ctx context.Context, settled []core.Execution, began runs) error {
	return c.followLocking(ctx, settled, began, c.dialect.lockAll)
}

// followNow is follow for a transaction that holds tasks already: it must wait
// for nobody.
func (c conn) followNow(ctx context.Context, settled []core.Execution) error {
	return c.followLocking(ctx, settled, nil, c.dialect.lockNow)
}

func (c conn) followLocking(ctx context.Context, settled []core.Execution, began runs, lock string) error {
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
	all := slices.Concat(ids, dependents, slices.Collect(maps.Keys(began)))
	if err := c.lockTasks(ctx, all, lock); err != nil { // what follows locks tasks in orders of its own
		return err
	}
	if err := c.noteRuns(ctx, began); err != nil {
		return err
	}
	if err := c.pauseFailing(ctx, failing, ids, lock); err != nil {
		return err
	}
	return c.pokeTasks(ctx, dependents, lock)
}

// runs are the tasks of attempts, and when the last attempt of each began.
type runs map[string]time.Time

func (r runs) add(e core.Execution) {
	if e.AttemptStart.After(r[e.TaskID]) {
		r[e.TaskID] = e.AttemptStart
	}
}

// noteRuns sets last_run of tasks when attempts end, and not when they begin: a
// claim that touched its tasks would wait for every other claim of them. Until
// then taskSelect finds the attempts in executions.
func (c conn) noteRuns(ctx context.Context, began runs) error {
	return inBatches(slices.Sorted(maps.Keys(began)), func(batch []string) error {
		const columns = `id, last_run`
		args := make([]any, 0, 2*len(batch))
		for _, id := range batch {
			args = append(args, id, stamp(began[id]))
		}
		v, args := c.table(columns, args)
		_, err := c.exec(ctx, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE tasks SET last_run = v.last_run
			FROM v WHERE tasks.id = v.id AND (tasks.last_run IS NULL OR tasks.last_run < v.last_run)`, args...)
		return err
	})
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
	if lock == "" || len(ids) == 0 {
		return nil
	}
	ids = slices.Sorted(slices.Values(ids))
	_, err := listIn[string](ctx, c, `SELECT id FROM tasks WHERE id IN (?)`+lock, slices.Compact(ids))
	return err
}

// pauseFailing counts failures in a row. Only tasks that ask for it are read, so
// it costs the others nothing.
func (c conn) pauseFailing(ctx context.Context, ended []core.Execution, ids []string, lock string) error {
	rows, err := listIn[taskRow](ctx, c, `SELECT `+taskSelect+` FROM tasks WHERE id IN (?)`+lock, ids)
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
