package sqlstore

import (
	"context"
	"slices"

	"github.com/nexuscore/scheduler/core"
)

// follow applies what the ends of executions do to their tasks, to those that
// depend on them and to the outbox.
func (c conn) follow(ctx context.Context, settled []core.Execution) error {
	if err := c.post(ctx, core.MessagesOf(settled, c.now)); err != nil {
		return err
	}
	if err := c.pauseFailing(ctx, settled); err != nil {
		return err
	}
	return c.pokeDependents(ctx, settled)
}

// pauseFailing counts failures in a row. Only tasks that ask for it are read, so
// it costs the others nothing.
func (c conn) pauseFailing(ctx context.Context, settled []core.Execution) error {
	var ended []core.Execution
	var ids []string
	for _, e := range settled {
		if e.Status.Final() && e.Policy.PauseAfterFailures > 0 {
			ended, ids = append(ended, e), append(ids, e.TaskID)
		}
	}
	slices.Sort(ids)
	rows, err := listIn[taskRow](ctx, c, `SELECT `+taskColumns+` FROM tasks WHERE id IN (?)`+c.dialect.lockAll, slices.Compact(ids))
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
