package memory

import (
	"cmp"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// taskTable keeps tasks with the order in which they come due. A row never
// changes; it is replaced.
type taskTable struct {
	rows map[string]*core.Task
	ids  ids
	due  *index[*core.Task] // enabled ones that have a next run, soonest first
}

func newTaskTable() *taskTable {
	return &taskTable{rows: map[string]*core.Task{}, due: newIndex(byNextRun)}
}

func byNextRun(a, b *core.Task) int {
	return cmp.Or(a.NextRun.Compare(*b.NextRun), cmp.Compare(a.ID, b.ID))
}

// put stores t, which the caller must not touch any more.
func (t *taskTable) put(row core.Task) {
	t.rows[row.ID] = &row
	t.ids.add(row.ID)
	if row.Enabled && row.NextRun != nil {
		t.due.set(row.ID, &row)
		return
	}
	t.due.remove(row.ID)
}

func (t *taskTable) remove(id string) {
	delete(t.rows, id)
	t.ids.remove(id)
	t.due.remove(id)
}

// get returns a copy of a task whose version is the wanted one.
func (t *taskTable) get(id string, version int64) (core.Task, error) {
	row, ok := t.rows[id]
	if !ok {
		return core.Task{}, notFound("task", id)
	}
	if err := checkVersion("task", id, row.Version, version); err != nil {
		return core.Task{}, err
	}
	return cloneTask(*row), nil
}

// dueBy returns copies of up to limit tasks that are due, longest due first.
func (t *taskTable) dueBy(now time.Time, limit int) []core.Task {
	var due []core.Task
	for row := range t.due.all() {
		if len(due) >= limit || row.NextRun.After(now) {
			break
		}
		due = append(due, cloneTask(*row))
	}
	return due
}

// wait tells how long it takes until a task is due: 0 when one is, negative
// when none will be.
func (t *taskTable) wait(now time.Time) time.Duration {
	_, next, ok := t.due.first()
	if !ok {
		return -1
	}
	return max(0, next.NextRun.Sub(now))
}
