package memory

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// ledger keeps executions. Live and finished ones lie apart, and every question
// of the engine has an index over the live ones, so that the length of the
// history costs the engine nothing. A row never changes; it is replaced.
type ledger struct {
	live     map[string]*core.Execution
	finished map[string]*core.Execution
	logs     map[string][]core.AttemptLog

	checkpoints map[string]json.RawMessage // of live ones

	ids    ids                 // of all, for pages
	byTask map[string]*dossier // task id → its executions
	byKey  map[string]load     // concurrency key → who occupies it
	byType map[string]load     // task type → the same

	later  *index[*core.Execution] // pending and retrying, by due time
	ready  *index[*core.Execution] // those of them that are due, by rank
	leases *index[*core.Execution] // running, by end of the lease
	ended  *index[*core.Execution] // finished, by end

	sortedAt time.Time // when later was last sorted into ready
}

// dossier is what the ledger knows about one task's executions.
type dossier struct {
	last core.DependencyState // when an execution last ended well, and badly
	ids  ids                  // live and finished
	live ids
	load load
}

// load counts the executions that occupy a task or a concurrency key.
type load struct{ queued, running int }

func (l *load) add(by load) {
	l.queued += by.queued
	l.running += by.running
}

func newLedger() *ledger {
	return &ledger{
		live: map[string]*core.Execution{}, finished: map[string]*core.Execution{},
		logs: map[string][]core.AttemptLog{}, checkpoints: map[string]json.RawMessage{},
		byTask: map[string]*dossier{}, byKey: map[string]load{}, byType: map[string]load{},
		later: newIndex(byDueAt), ready: newIndex(byExecutionRank),
		leases: newIndex(byLease), ended: newIndex(byEnd),
	}
}

func byDueAt(a, b *core.Execution) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID))
}

func byExecutionRank(a, b *core.Execution) int {
	return cmp.Or(a.Rank().Compare(b.Rank()), cmp.Compare(a.ID, b.ID))
}

func byLease(a, b *core.Execution) int {
	return cmp.Or(a.LeaseUntil.Compare(b.LeaseUntil), cmp.Compare(a.ID, b.ID))
}

func byEnd(a, b *core.Execution) int {
	return cmp.Or(endOf(a).Compare(endOf(b)), cmp.Compare(a.ID, b.ID))
}

// endOf is when an execution ended. One without an end is as old as itself.
func endOf(e *core.Execution) time.Time {
	if e.EndTime == nil {
		return e.CreatedAt
	}
	return *e.EndTime
}

// get returns the row of an execution, live or finished, or nil.
func (l *ledger) get(id string) *core.Execution {
	if e, ok := l.live[id]; ok {
		return e
	}
	return l.finished[id]
}

// put stores e, in place of its former state. The caller must not touch it any
// more.
func (l *ledger) put(e core.Execution) {
	if old := l.get(e.ID); old != nil {
		l.leave(old)
	} else {
		l.ids.add(e.ID)
		l.dossier(e.TaskID).ids.add(e.ID)
	}
	l.enter(&e)
}

// enter adds a row to the indexes of its state.
func (l *ledger) enter(e *core.Execution) {
	if e.Status.Final() {
		if e.Counts() {
			l.dossier(e.TaskID).last.Note(e.Status, endOf(e))
		}
		delete(l.checkpoints, e.ID)
		l.finished[e.ID] = e
		l.ended.set(e.ID, e)
		return
	}
	l.live[e.ID] = e
	l.dossier(e.TaskID).live.add(e.ID)
	switch e.Status {
	case core.StatusPending, core.StatusRetrying:
		if e.Awaits == nil {
			l.later.set(e.ID, e)
		}
	case core.StatusQueued:
		l.occupy(e, load{queued: 1})
	case core.StatusRunning:
		l.leases.set(e.ID, e)
		l.occupy(e, load{running: 1})
	}
}

// leave takes a row out of the indexes of its state.
func (l *ledger) leave(e *core.Execution) {
	if e.Status.Final() {
		delete(l.finished, e.ID)
		l.ended.remove(e.ID)
		return
	}
	delete(l.live, e.ID)
	l.dossier(e.TaskID).live.remove(e.ID)
	switch e.Status {
	case core.StatusPending, core.StatusRetrying:
		l.later.remove(e.ID)
		l.ready.remove(e.ID)
	case core.StatusQueued:
		l.occupy(e, load{queued: -1})
	case core.StatusRunning:
		l.leases.remove(e.ID)
		l.occupy(e, load{running: -1})
	}
}

// remove forgets a finished execution with its logs.
func (l *ledger) remove(e *core.Execution) {
	l.leave(e)
	l.ids.remove(e.ID)
	delete(l.logs, e.ID)
	d := l.dossier(e.TaskID)
	d.ids.remove(e.ID)
	if d.last == (core.DependencyState{}) && len(d.ids.sorted) == 0 { // what others depend on is remembered
		delete(l.byTask, e.TaskID)
	}
}

func (l *ledger) dossier(taskID string) *dossier {
	d, ok := l.byTask[taskID]
	if !ok {
		d = &dossier{}
		l.byTask[taskID] = d
	}
	return d
}

// occupy changes the load of e's task and concurrency key; an idle key is
// forgotten.
func (l *ledger) occupy(e *core.Execution, by load) {
	l.dossier(e.TaskID).load.add(by)
	ofType := l.byType[e.Type]
	ofType.add(by)
	l.byType[e.Type] = ofType
	key := e.Policy.ConcurrencyKey
	if key == "" {
		return
	}
	occupied := l.byKey[key]
	if occupied.add(by); occupied == (load{}) {
		delete(l.byKey, key)
		return
	}
	l.byKey[key] = occupied
}

// active counts a task's live executions.
func (l *ledger) active(taskID string) core.Active {
	d, ok := l.byTask[taskID]
	if !ok {
		return core.Active{}
	}
	return core.Active{Running: d.load.running, Waiting: len(d.live.sorted) - d.load.running}
}

// planned reports whether an occurrence of the schedule has a live execution
// already: one (task, nominal time) becomes one execution, whatever a planner
// believes.
func (l *ledger) planned(e *core.Execution) bool {
	d, ok := l.byTask[e.TaskID]
	if !ok || e.Trigger != core.TriggerSchedule || e.Status.Final() {
		return false
	}
	for _, id := range d.live.sorted {
		if other := l.live[id]; other.Trigger == e.Trigger && other.NominalTime.Equal(e.NominalTime) {
			return true
		}
	}
	return false
}

// sort moves what has come due from later to ready.
func (l *ledger) sort(now time.Time) {
	if now.Before(l.sortedAt) { // the clock was set back: what was due may not be any more
		for _, e := range l.ready.entries {
			l.later.set(e.id, e.value)
		}
		l.ready = newIndex(byExecutionRank)
	}
	l.sortedAt = now
	for {
		id, e, ok := l.later.first()
		if !ok || e.DueAt.After(now) {
			return
		}
		l.later.remove(id)
		l.ready.set(id, e)
	}
}
