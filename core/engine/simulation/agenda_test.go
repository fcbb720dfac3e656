package simulation

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

// agenda knows for each task which nominal time must come next. It walks the
// rule itself, one occurrence after the other, and never asks the planner.
type agenda struct {
	w       *world
	entries map[string]*entry // by task
	seen    map[string]bool   // task, trigger and nominal time of what was planned
}

// entry is one task on the clock.
type entry struct {
	spec *schedule.Spec
	next schedule.Occurrence
	more bool
}

func newAgenda(w *world) *agenda {
	return &agenda{w: w, entries: map[string]*entry{}, seen: map[string]bool{}}
}

func (a *agenda) forget(taskID string) { delete(a.entries, taskID) }

// follow takes note of what a step made of a task.
func (a *agenda) follow(s *step, was, t core.Task, known bool, planned []core.Execution) {
	a.w.trace.note("%s: task %s enabled %v paused %v next %s runs %d", s.name, short(t.ID), t.Enabled, t.PauseReason != nil, shown(t.Plan.NextNominal), t.Plan.Runs)
	retimed := !known || was.Enabled != t.Enabled || !sameTiming(was.Timing, t.Timing)
	switch {
	case s.name == "plan" && s.planned != nil && hasPlan(s, t.ID):
		a.consume(s, t, planned)
	case s.name == "backfill":
		a.takeOver(t, planned)
	case retimed:
		a.checkArming(s, was, t, known)
		a.rebase(t)
	case !a.stands(was, t):
		a.w.trace.violate([]string{t.ID}, "task %s: %s moved its place on the clock from %s to %s",
			short(t.ID), s.name, shown(was.Plan.NextNominal), shown(t.Plan.NextNominal))
	}
}

// stands reports whether a task that was not planned has kept its place. One
// that was re-timed while it was paused finds the place under its new rule when
// it is resumed.
func (a *agenda) stands(was, t core.Task) bool {
	if !sameTime(was.Plan.LastNominal, t.Plan.LastNominal) || was.Plan.Runs != t.Plan.Runs {
		return false
	}
	if sameTime(was.Plan.NextNominal, t.Plan.NextNominal) {
		return true
	}
	e, timed := a.entries[t.ID]
	if !timed || was.PauseReason == nil || t.PauseReason != nil {
		return false
	}
	if t.Plan.NextNominal == nil {
		return !e.more
	}
	return e.more && t.Plan.NextNominal.Equal(core.Instant(e.next.Nominal))
}

func hasPlan(s *step, taskID string) bool {
	_, ok := s.planned[taskID]
	return ok
}

// rebase walks on from where the task stands under a new rule.
func (a *agenda) rebase(t core.Task) {
	delete(a.entries, t.ID)
	if t.Plan.NextNominal == nil || !t.Enabled {
		return
	}
	spec, err := a.w.timetable.Compile(t, nil)
	if err != nil {
		a.w.trace.violate([]string{t.ID}, "task %s: %v", short(t.ID), err)
		return
	}
	e := &entry{spec: spec}
	e.next, e.more = spec.Next(t.Plan.NextNominal.Add(-time.Microsecond))
	a.entries[t.ID] = e
}

// checkArming demands that a change of timing neither forgets what is owed nor
// leaves out what is to come.
func (a *agenda) checkArming(s *step, was, t core.Task, known bool) {
	if !t.Enabled || !t.Timed() || t.ScheduleType == core.ScheduleOnce || t.MaxRuns > 0 && t.Plan.Runs >= t.MaxRuns {
		return
	}
	next := was.Plan.NextNominal
	owed := known && was.Enabled && next != nil && (t.PauseReason != nil || was.NextRun != nil && !was.NextRun.After(s.now))
	if owed {
		if !sameTime(next, t.Plan.NextNominal) {
			a.w.trace.violate([]string{t.ID}, "task %s: %s forgot what was due since %s", short(t.ID), s.name, shown(next))
		}
		return
	}
	if t.JitterMs > 0 || len(t.ExecutionWindows) > 0 {
		return // their starts are put off: what is to come is not told by the nominal time
	}
	if known && was.Plan.NextNominal != nil && was.NextRun != nil && was.Plan.NextNominal.Before(s.now) {
		return // the same, before the change
	}
	after := s.now
	if !known {
		after = t.CreatedAt // the client's "now"; the call was on its way since
	}
	if last := t.Plan.LastNominal; last != nil && last.After(after) {
		after = *last
	}
	spec, err := a.w.timetable.Compile(t, nil)
	if err != nil {
		return
	}
	if o, ok := spec.Next(after); ok && (t.Plan.NextNominal == nil || !t.Plan.NextNominal.Equal(core.Instant(o.Nominal))) {
		a.w.trace.violate([]string{t.ID}, "task %s: %s armed it for %s, and %s comes next",
			short(t.ID), s.name, shown(t.Plan.NextNominal), o.Nominal.Format(time.RFC3339Nano))
	}
}

// consume demands that what was planned stands for exactly the occurrences that
// have come due, each once and in order.
func (a *agenda) consume(s *step, t core.Task, planned []core.Execution) {
	slices.SortFunc(planned, func(x, y core.Execution) int { return x.NominalTime.Compare(y.NominalTime) })
	for _, e := range planned {
		if dropped(e) {
			continue // by windows, which the rule has left out
		}
		a.once(e)
		if e.Trigger == core.TriggerSchedule {
			a.advance(s, t, e)
		}
	}
	e, timed := a.entries[t.ID]
	if !timed {
		return
	}
	switch {
	case t.MaxRuns > 0 && t.Plan.Runs >= t.MaxRuns:
		delete(a.entries, t.ID)
	case !e.more && t.Plan.NextNominal == nil:
	case !e.more || t.Plan.NextNominal == nil || !t.Plan.NextNominal.Equal(core.Instant(e.next.Nominal)):
		a.w.trace.violate([]string{t.ID}, "task %s: is due next for %s, and %s was to come", short(t.ID), shown(t.Plan.NextNominal), e.next.Nominal)
	case !e.next.At.After(s.now):
		a.w.trace.violate([]string{t.ID}, "task %s: %s is due and was left behind", short(t.ID), e.next.Nominal)
	}
}

// takeOver demands that a backfill which moves a task on leaves no occurrence
// behind.
func (a *agenda) takeOver(t core.Task, planned []core.Execution) {
	x, timed := a.entries[t.ID]
	if !timed {
		return
	}
	has := map[time.Time]bool{}
	for _, e := range planned {
		has[e.NominalTime] = true
	}
	for x.more && (t.Plan.NextNominal == nil || core.Instant(x.next.Nominal).Before(*t.Plan.NextNominal)) {
		at := core.Instant(x.next.Nominal)
		if !has[at] && !a.w.store.executed(t.ID, at) {
			a.w.trace.violate([]string{t.ID}, "task %s: a backfill passed over %s", short(t.ID), at)
		}
		x.next, x.more = x.spec.Next(x.next.Nominal)
	}
}

// once demands that a nominal time of a task is planned once.
func (a *agenda) once(e core.Execution) {
	key := e.TaskID + string(e.Trigger) + e.NominalTime.Format(time.RFC3339Nano)
	if a.seen[key] {
		a.w.trace.violate([]string{e.TaskID, e.ID}, "task %s: its nominal time %s is planned twice", short(e.TaskID), e.NominalTime)
	}
	a.seen[key] = true
}

// advance walks over the occurrences that one row stands for.
func (a *agenda) advance(s *step, t core.Task, e core.Execution) {
	x, ok := a.entries[t.ID]
	if !ok {
		a.w.trace.violate([]string{t.ID, e.ID}, "task %s: %s is planned and the task is not on the clock", short(t.ID), e.NominalTime)
		return
	}
	n, last := stretch(e)
	for i := range n {
		at := core.Instant(x.next.Nominal)
		if !x.more || i == 0 && !at.Equal(e.NominalTime) || i == n-1 && !at.Equal(last) || x.next.At.After(s.now) {
			a.w.trace.violate([]string{t.ID, e.ID}, "task %s: %s (%d up to %s) is %s, and %s was to come",
				short(t.ID), e.NominalTime, n, last, e.Status, x.next.Nominal)
			return
		}
		x.next, x.more = x.spec.Next(x.next.Nominal)
	}
}

func dropped(e core.Execution) bool {
	return e.Error != nil && strings.Contains(*e.Error, "outside the execution windows")
}

// stretch tells how many occurrences a row stands for, and the last one.
func stretch(e core.Execution) (n int, last time.Time) {
	var s struct {
		Occurrences int
		To          time.Time
	}
	if e.Status != core.StatusMissed && e.Status != core.StatusSkipped || json.Unmarshal(e.Result, &s) != nil || s.Occurrences == 0 {
		return 1, e.NominalTime
	}
	return s.Occurrences, s.To
}

func sameTiming(a, b core.Timing) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

func shown(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format("15:04:05.000000")
}
