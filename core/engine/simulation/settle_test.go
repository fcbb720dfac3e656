package simulation

import (
	"maps"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// patience is longer than any execution may wait for its time: the longest delay
// of a retry, a deferral, or the patience with dependencies.
const patience = 12 * time.Minute

// settle ends the faults, lets the nodes catch up, takes the tasks off the clock
// and waits until all work is done.
func (w *world) settle(u *users) {
	w.calm.Store(true)
	w.trace.note("* faults end")
	if len(w.nodes) == 0 {
		w.start()
	}
	time.Sleep(longest) // calls that are on their way arrive
	u.promises.kept()
	for _, id := range w.taskIDs() {
		if _, err := u.scheduler.ResumeTask(bg(), id); err != nil && core.CodeOf(err) != core.CodeNotFound {
			w.trace.violate([]string{id}, "task %s cannot be resumed: %v", short(id), err)
		}
	}
	time.Sleep(2 * time.Minute)
	w.store.caughtUp()
	w.takeOffTheClock(u)
	w.drain()
	time.Sleep(2 * time.Minute) // what follows the last ends is planned
	w.store.caughtUp()
	w.store.settled()
	w.heard()
}

// drain waits until nothing is left to do, or nothing has started for too long.
func (w *world) drain() {
	quiet := time.Duration(0)
	for range 120 {
		if quiet > patience || w.idle() || w.trace.failed() {
			return
		}
		before := w.store.started()
		time.Sleep(time.Minute)
		if quiet += time.Minute; w.store.started() > before || !w.store.due() {
			quiet = 0
		}
	}
}

// takeOffTheClock disables what would go on for ever.
func (w *world) takeOffTheClock(u *users) {
	for _, id := range w.taskIDs() {
		t, err := w.store.Task(bg(), id)
		if err != nil || !t.Timed() || !t.Enabled {
			continue
		}
		t.Enabled = false
		if _, err := u.scheduler.UpdateTask(bg(), id, core.AnyVersion, t.TaskSpec); err != nil {
			w.trace.violate([]string{id}, "task %s cannot be disabled: %v", short(id), err)
		}
	}
}

// taskIDs lists the tasks that are there, also those whose deletion was tried in
// vain.
func (w *world) taskIDs() []string {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return slices.Sorted(maps.Keys(w.store.tasks))
}

// idle reports whether nothing is left to do.
func (w *world) idle() bool {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	for _, id := range w.store.live {
		if !mayWait(w.store.known[id]) {
			return false
		}
	}
	return true
}
