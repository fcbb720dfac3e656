package core

import (
	"context"
	"fmt"
	"slices"
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
	GatePlugin      Gate = "plugin"      // the task type is loaded, and not quarantined
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

// maxExplained bounds the live executions that are explained: the oldest, which
// start first, and the one that the others wait for.
const maxExplained = 50

// Explain looks at every gate of a task: the very functions and counts that
// decide. Errors: NOT_FOUND.
func (s *Scheduler) Explain(ctx context.Context, id string) (Explanation, error) {
	t, err := s.store.Task(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	x := explaining{scheduler: s, now: s.clock.Now(), task: t, load: s.nodeLoad(ctx)}
	if x.live, err = s.store.Live(ctx, id, maxExplained); err != nil {
		return Explanation{}, err
	}
	var e Explanation
	if e.Task, err = x.taskGates(ctx); err != nil {
		return Explanation{}, err
	}
	for _, live := range x.live.explained() {
		gates, err := x.executionGates(ctx, live)
		if err != nil {
			return Explanation{}, err
		}
		e.Executions = append(e.Executions, ExplainedExecution{Execution: live, Gates: gates})
	}
	return e, nil
}

// explained lists the oldest executions, with the one that holds the others up.
func (r LiveReport) explained() []Execution {
	if r.Holder == nil || slices.ContainsFunc(r.Oldest, func(e Execution) bool { return e.ID == r.Holder.ID }) {
		return r.Oldest
	}
	return append([]Execution{*r.Holder}, r.Oldest...)
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

// explaining is one look at a task.
type explaining struct {
	scheduler *Scheduler
	now       time.Time
	task      Task
	live      LiveReport
	load      *Load // of this node; nil is not known
}

func gate(g Gate, blocking bool, format string, args ...any) GateState {
	return GateState{Gate: g, Blocking: blocking, Reason: fmt.Sprintf(format, args...)}
}

// taskGates are those between now and the next occurrence.
func (x explaining) taskGates(ctx context.Context) ([]GateState, error) {
	t := x.task
	gates := []GateState{gate(GateEnabled, !t.Enabled, "enabled is %t", t.Enabled)}
	paused := gate(GatePaused, false, "not paused")
	if t.PauseReason != nil {
		paused = gate(GatePaused, true, "paused: %s", *t.PauseReason)
	}
	due, err := x.scheduleGate(ctx)
	return append(gates, paused, due, x.pluginGate(), x.admissionGate()), err
}

func (x explaining) scheduleGate(ctx context.Context) (GateState, error) {
	t := x.task
	switch {
	case t.NextRun != nil && t.NextRun.After(x.now) && t.Timed():
		g := gate(GateSchedule, true, "the next occurrence is due at %s", rfc3339(*t.NextRun))
		g.OpensAt = t.NextRun
		return g, nil
	case t.NextRun != nil && t.Timed():
		return gate(GateSchedule, false, "an occurrence is due and is being planned"), nil
	case t.exhausted():
		return gate(GateSchedule, true, "maxRuns is reached: %d of %d", t.Plan.Runs, t.MaxRuns), nil
	case t.ScheduleType == ScheduleManual:
		return gate(GateSchedule, true, "scheduleType is manual: it runs when somebody asks"), nil
	case t.ScheduleType == ScheduleDependency:
		return x.followGate(ctx)
	case t.Plan.NextNominal != nil:
		return x.pausedGate(*t.Plan.NextNominal), nil
	case !t.Enabled:
		return gate(GateSchedule, true, "it has no next occurrence while it is disabled"), nil
	}
	return gate(GateSchedule, true, "no further occurrence"), nil
}

// pausedGate is about the occurrence at which a paused task stands.
func (x explaining) pausedGate(next time.Time) GateState {
	if !next.After(x.now) {
		return gate(GateSchedule, false, "what has come due since %s is planned when the task is resumed, by the misfire policy %s",
			rfc3339(next), x.task.Misfire.Policy)
	}
	g := gate(GateSchedule, true, "the next occurrence is that of %s, if the task is resumed", rfc3339(next))
	g.OpensAt = &next
	return g
}

// followGate is about the dependencies of a task that runs after them.
func (x explaining) followGate(ctx context.Context) (GateState, error) {
	states, err := x.scheduler.store.Dependencies(ctx, x.task.DependsOn)
	if err != nil {
		return GateState{}, err
	}
	since := x.task.since()
	v := x.task.DependencyPolicy.Judge(x.now, since, nil, states)
	if v.Ruling == RulingOpen {
		return gate(GateSchedule, false, "the tasks it depends on have done their part since %s", rfc3339(since)), nil
	}
	return gate(GateSchedule, true, "it runs when the tasks it depends on have done their part since %s: %s", rfc3339(since), v.Reason), nil
}

func (x explaining) pluginGate() GateState {
	for _, p := range x.scheduler.types.Plugins() {
		if p.Type == x.task.Type && p.State == PluginQuarantined {
			return gate(GatePlugin, true, "the plugin of %q crashed %d times in a row; this node starts none until %s, or until POST /plugins/%s/release: %s",
				p.Type, p.Quarantine.Crashes, rfc3339(p.Quarantine.Until), p.Type, p.Quarantine.Reason)
		}
	}
	err := x.scheduler.types.ValidateData(x.task.Type, x.task.Data)
	switch CodeOf(err) {
	case "":
		return gate(GatePlugin, false, "the plugin of %q is loaded", x.task.Type)
	case CodePluginUnavailable:
		return gate(GatePlugin, false, "%s; it holds nothing back: an execution that starts now fails with %s and is tried again by its retry policy",
			publicText(err), CodePluginUnavailable)
	}
	return gate(GatePlugin, false, "the data does not fit the plugin any more: %s; it holds nothing back", publicText(err))
}

func publicText(err error) string {
	return strings.TrimPrefix(err.Error(), string(CodeOf(err))+": ")
}

// admissionGate asks the overlap policy about one more occurrence.
func (x explaining) admissionGate() GateState {
	a := x.live.Active
	admission := x.task.Overlap.Admit(a)
	reason := admission.Reason
	if admission.Admit {
		reason = "another occurrence would be planned"
	}
	return gate(GateOverlap, !admission.Admit, "overlap is %s, %d running and %d waiting: %s", x.task.Overlap, a.Running, a.Waiting, reason)
}

// executionGates are those between a live execution and its start.
func (x explaining) executionGates(ctx context.Context, e Execution) ([]GateState, error) {
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
	gates := []GateState{x.dueGate(e), dependency, window, x.overlapGate(e)}
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

// overlapGate looks at the execution of the task that is ahead.
func (x explaining) overlapGate(e Execution) GateState {
	if !e.Policy.Overlap.Exclusive() {
		return gate(GateOverlap, false, "overlap is allow")
	}
	if h := x.live.Holder; h != nil && h.ID != e.ID {
		g := gate(GateOverlap, true, "execution %s of the task is %s and they exclude each other", h.ID, h.Status)
		g.OpensAt = latestEnd(*h)
		return g
	}
	return gate(GateOverlap, false, "no other execution of the task runs")
}
