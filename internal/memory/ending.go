package memory

import (
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Why the store itself ends executions.
const (
	reasonTaskDeleted    = "task deleted"
	reasonNextOccurrence = "cancelled by the next occurrence"
)

// endActive ends a task's waiting executions and asks its running ones to end.
func (l *ledger) endActive(taskID, reason string, now time.Time) (cancelled []core.Execution, running []string) {
	d, ok := l.byTask[taskID]
	if !ok {
		return nil, nil
	}
	for _, id := range slices.Clone(d.live.sorted) { // ending changes the list
		if e, ended := l.end(id, reason, now); ended {
			cancelled = append(cancelled, e)
		} else {
			running = append(running, id)
		}
	}
	return cancelled, running
}

// end ends a live execution if it waits, and asks it to end if it runs.
func (l *ledger) end(id, reason string, now time.Time) (e core.Execution, ended bool) {
	e = cloneExecution(*l.live[id])
	ended = e.Status != core.StatusRunning
	if ended {
		e.Cancel(reason, now)
	} else {
		e.CancelRequested = true
	}
	l.put(cloneExecution(e))
	return e, ended
}
