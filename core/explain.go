package core

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Gate names a thing that can keep an execution from starting.
type Gate string

// The gates, in the order in which an execution meets them.
const (
	GateEnabled     Gate = "enabled"
	GatePaused      Gate = "paused"
	GateSchedule    Gate = "schedule"    // the next occurrence
	GatePlugin      Gate = "plugin"      // the task type is loaded
	GateDue         Gate = "due"         // the time of the execution
	GateDependency  Gate = "dependency"  // the tasks it waits for
	GateWindow      Gate = "window"      // execution windows and calendars
	GateOverlap     Gate = "overlap"     // other executions of the task
	GateConcurrency Gate = "concurrency" // the concurrency key
	GateType        Gate = "type"        // executions of the task type
	GateRate        Gate = "rate"        // the rate limit
	GateQueue       Gate = "queue"       // the queue takes it, or has it
	GateNode        Gate = "node"        // executions that the node runs at once
	GateWorker      Gate = "worker"      // runs
)

// GateState is how a gate is.
type GateState struct {
	Gate     Gate
	Blocking bool
	Reason   string     // in words, with the current value
	OpensAt  *time.Time // when it is expected to open; nil is not known
}

// Explanation says why a task, and each of its live executions, is waiting.
type Explanation struct {
	Task       []GateState // about the next occurrence
	Executions []ExplainedExecution
}

// ExplainedExecution is a live execution with its gates.
type ExplainedExecution struct {
	Execution Execution
	Gates     []GateState
}

// maxExplained bounds the live executions that are explained.
const maxExplained = 50

// Explain looks at every gate of a task: the very functions and counts that
// decide. Errors: NOT_FOUND.
func (s *Scheduler) Explain(ctx context.Context, id string) (Explanation, error) {
	t, err := s.store.Task(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	x := explaining{scheduler: s, now: s.clock.Now(), task: t, load: s.nodeLoad(ctx)}
	live, err := s.store.Executions(ctx, ExecutionFilter{TaskID: id, Statuses: liveStatuses()}, Page{Limit: maxExplained})
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Task: x.taskGates(live)}
	for i := len(live) - 1; i >= 0; i-- { // oldest first: that is the order in which they start
		gates, err := x.executionGates(ctx, live[i], live)
		if err != nil {
			return e, err
		}
		e.Executions = append(e.Executions, ExplainedExecution{Execution: live[i], Gates: gates})
	}
	return e, nil
}

// nodeLoad looks at the node, if it can: an explanation without it is better
// than none.
func (s *Scheduler) nodeLoad(ctx context.Context) *Load {
	if s.load == nil {
		return nil
	}
	l, err := s.load.Load(ctx)
	if err != nil {
		return nil
	}
	return &l
}

func liveStatuses() []Status {
	var live []Status
	for _, s := range Statuses() {
		if !s.Final() {
			live = append(live, s)
		}
	}
	return live
}

// explaining is one look at a task.
type explaining struct {
	scheduler *Scheduler
	now       time.Time
	task      Task
	load      *Load // of this node; nil is not known
}

func gate(g Gate, blocking bool, format string, args ...any) GateState {
	return GateState{Gate: g, Blocking: blocking, Reason: fmt.Sprintf(format, args...)}
}

// taskGates are those between now and the next occurrence.
func (x explaining) taskGates(live []Execution) []GateState {
	t := x.task
	gates := []GateState{gate(GateEnabled, !t.Enabled, "enabled is %t", t.Enabled)}
	paused := gate(GatePaused, false, "not paused")
	if t.PauseReason != nil {
		paused = gate(GatePaused, true, "paused: %s", *t.PauseReason)
	}
	return append(gates, paused, x.scheduleGate(), x.pluginGate(), x.admissionGate(live))
}

func (x explaining) scheduleGate() GateState {
	t := x.task
	switch {
	case t.NextRun != nil && t.NextRun.After(x.now):
		g := gate(GateSchedule, true, "the next occurrence is due at %s", t.NextRun.Format(time.RFC3339))
		g.OpensAt = t.NextRun
		return g
	case t.NextRun != nil:
		return gate(GateSchedule, false, "an occurrence is due and is being planned")
	case t.ScheduleType == ScheduleManual:
		return gate(GateSchedule, true, "scheduleType is manual: it runs when somebody asks")
	case t.ScheduleType == ScheduleDependency:
		return gate(GateSchedule, true, "it runs when the tasks it depends on have done their part")
	case t.exhausted():
		return gate(GateSchedule, true, "maxRuns is reached: %d of %d", t.Plan.Runs, t.MaxRuns)
	}
	return gate(GateSchedule, true, "no further occurrence")
}

func (x explaining) pluginGate() GateState {
	if err := x.scheduler.types.ValidateData(x.task.Type, x.task.Data); err != nil {
		return gate(GatePlugin, true, "%s", publicText(err))
	}
	return gate(GatePlugin, false, "the plugin of %q is loaded", x.task.Type)
}

func publicText(err error) string {
	return strings.TrimPrefix(err.Error(), string(CodeOf(err))+": ")
}

// admissionGate asks the overlap policy about one more occurrence.
func (x explaining) admissionGate(live []Execution) GateState {
	var a Active
	for _, e := range live {
		if e.Status == StatusRunning {
			a.Running++
		} else {
			a.Waiting++
		}
	}
	admission := x.task.Overlap.Admit(a)
	reason := admission.Reason
	if admission.Admit {
		reason = "another occurrence would be planned"
	}
	return gate(GateOverlap, !admission.Admit, "overlap is %s, %d running and %d waiting: %s", x.task.Overlap, a.Running, a.Waiting, reason)
}

// executionGates are those between a live execution and its start.
func (x explaining) executionGates(ctx context.Context, e Execution, live []Execution) ([]GateState, error) {
	switch e.Status {
	case StatusRunning:
		return []GateState{gate(GateWorker, false, "attempt %d runs on %s since %s", e.Attempt, e.Worker, e.AttemptStart.Format(time.RFC3339))}, nil
	case StatusQueued:
		queued := gate(GateQueue, true, "handed to the queue; waits for a free worker")
		return append([]GateState{queued}, x.nodeGate()...), nil
	}
	dependency, err := x.dependencyGate(ctx, e)
	if err != nil {
		return nil, err
	}
	window, err := x.windowGate(ctx, e)
	if err != nil {
		return nil, err
	}
	counted, err := x.scheduler.store.Occupancy(ctx, e.Policy.ConcurrencyKey, e.Type)
	if err != nil {
		return nil, err
	}
	gates := []GateState{x.dueGate(e), dependency, window, overlapGate(e, live)}
	slots, err := x.slotGates(ctx, e, counted)
	if err != nil {
		return nil, err
	}
	return append(append(append(gates, slots...), x.rateGate(e), x.pluginGate()), x.queueGate()...), nil
}

func (x explaining) dueGate(e Execution) GateState {
	if !e.DueAt.After(x.now) {
		return gate(GateDue, false, "due since %s", e.DueAt.Format(time.RFC3339))
	}
	why := "due"
	if e.Status == StatusRetrying {
		why = fmt.Sprintf("the next attempt%s is due", e.spent())
	}
	g := gate(GateDue, true, "%s at %s", why, e.DueAt.Format(time.RFC3339))
	g.OpensAt = &e.DueAt
	return g
}

func (x explaining) dependencyGate(ctx context.Context, e Execution) (GateState, error) {
	if e.Awaits == nil {
		return gate(GateDependency, false, "waits for no task"), nil
	}
	states, err := x.scheduler.store.Dependencies(ctx, e.Awaits.Tasks)
	if err != nil {
		return GateState{}, err
	}
	v := e.Policy.DependencyPolicy.Judge(x.now, e.Awaits.Since, e.Awaits.Until, states)
	if v.Ruling == RulingOpen {
		return gate(GateDependency, false, "all tasks it depends on have done their part"), nil
	}
	return gate(GateDependency, true, "%s, later than %s", v.Reason, e.Awaits.Since.Format(time.RFC3339)), nil
}

func (x explaining) windowGate(ctx context.Context, e Execution) (GateState, error) {
	var set CalendarSet
	if e.Hours != nil && len(e.Hours.Calendars) > 0 {
		var err error
		if set, err = x.scheduler.store.CalendarSet(ctx, e.Hours.Calendars); err != nil {
			return GateState{}, err
		}
	}
	open, next := e.Hours.Open(x.now, set)
	if open {
		return gate(GateWindow, false, "it may start at this time of day"), nil
	}
	g := gate(GateWindow, true, "outside the execution windows, or on an excluded date, until %s", next.Format(time.RFC3339))
	g.OpensAt = &next
	return g, nil
}

// overlapGate looks at the executions of the task that are ahead.
func overlapGate(e Execution, live []Execution) GateState {
	if !e.Policy.Overlap.Exclusive() {
		return gate(GateOverlap, false, "overlap is allow")
	}
	for _, other := range live {
		if other.ID != e.ID && (other.Status == StatusRunning || other.Status == StatusQueued) {
			g := gate(GateOverlap, true, "execution %s of the task is %s and they exclude each other", other.ID, other.Status)
			g.OpensAt = latestEnd(other)
			return g
		}
	}
	return gate(GateOverlap, false, "no other execution of the task runs")
}

// rateGate cannot ask the limiter, because asking takes; the node's own guess
// must do.
func (x explaining) rateGate(e Execution) GateState {
	l := e.Policy.RateLimit
	switch {
	case l == nil:
		return gate(GateRate, false, "no rate limit")
	case x.scheduler.rates == nil:
		return gate(GateRate, false, "rate limit %q: %d in %s", l.Key, l.Limit, l.PerMs.Duration())
	}
	if opens := x.scheduler.rates.RateOpensAt(RateKey(l.Key)); opens.After(x.now) {
		g := gate(GateRate, true, "the rate limit %q of %d in %s is used up until %s; those with a higher rank go first",
			l.Key, l.Limit, l.PerMs.Duration(), opens.Format(time.RFC3339Nano))
		g.OpensAt = &opens
		return g
	}
	return gate(GateRate, false, "rate limit %q: %d in %s", l.Key, l.Limit, l.PerMs.Duration())
}
