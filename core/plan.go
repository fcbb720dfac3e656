package core

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

const (
	// maxOverdue bounds how many overdue occurrences of a task one step looks
	// at; the task stays due until all are dealt with.
	maxOverdue = 10_000
	// maxPlanned bounds how many of them one step makes executions of.
	maxPlanned = 1000
	// maxRows bounds how many occurrences that do not run get a row each; beyond
	// it one row stands for the whole stretch.
	maxRows = 100
)

// PlanTask decides what becomes of a due task: which occurrences run, which are
// recorded as missed or skipped, and when it is due next. It is a pure function
// of its arguments but for the ids it makes. A plan has at most maxPlanned
// executions to run and a few times maxRows rows to record.
func (tt Timetable) PlanTask(now time.Time, d DueTask) (Plan, error) {
	spec, err := tt.Compile(d.Task, d.Calendars)
	if err != nil {
		return Plan{}, err
	}
	p := planning{now: now, task: d.Task, active: d.Active, plan: Plan{State: d.Task.Plan}}
	if d.Task.ScheduleType == ScheduleDependency {
		p.follow(d.Dependencies)
		return p.plan, nil
	}
	overdue, next, more := overdueOf(spec, d.Task, now)
	run, missed := d.Task.Misfire.Split(now, overdue)
	if d.Task.Misfire.Policy == MisfireLatest && more && !next.At.After(now) {
		run, missed = nil, overdue // the latest one comes in a later step
	}
	if len(run) > maxPlanned { // the others stay due
		next, more = run[maxPlanned], true
		run = run[:maxPlanned]
		overdue = overdue[:len(missed)+maxPlanned]
	}
	if err := p.dropped(tt, overdue); err != nil {
		return Plan{}, err
	}
	p.recordMissed(missed)
	if len(missed) > 0 {
		p.pass(missed[len(missed)-1])
	}
	p.run(run)
	p.advance(overdue, next, more)
	return p.plan, nil
}

// advance moves the task on to its next occurrence.
func (p *planning) advance(overdue []schedule.Occurrence, next schedule.Occurrence, more bool) {
	if len(overdue) > 0 {
		last := Instant(overdue[len(overdue)-1].Nominal)
		p.plan.State.LastNominal = &last
	}
	p.plan.State.NextNominal = nil
	if more && !p.exhausted() {
		due, nominal := Instant(next.At), Instant(next.Nominal)
		p.plan.NextRun, p.plan.State.NextNominal = &due, &nominal
	}
}

// overdueOf lists the occurrences that are due, oldest first, and the next one.
func overdueOf(spec *schedule.Spec, t Task, now time.Time) (overdue []schedule.Occurrence, next schedule.Occurrence, more bool) {
	for o := range t.occurrences(spec) {
		if o.At.After(now) || len(overdue) == maxOverdue {
			return overdue, o, true
		}
		overdue = append(overdue, o)
	}
	return overdue, next, false
}

// planning gathers the plan of one task.
type planning struct {
	now    time.Time
	task   Task
	active Active
	plan   Plan
}

func (p *planning) exhausted() bool {
	return p.task.MaxRuns > 0 && p.plan.State.Runs >= p.task.MaxRuns
}

func (p *planning) execution(o schedule.Occurrence) Execution {
	return NewExecution(p.task, TriggerSchedule, o.Nominal, o.At, p.now)
}

func (p *planning) run(occurrences []schedule.Occurrence) {
	var skipped []schedule.Occurrence
	reasons := map[time.Time]string{}
	for i, o := range occurrences {
		if p.exhausted() {
			break
		}
		a := p.task.Overlap.Admit(p.active)
		if a.CancelPrevious && i < len(occurrences)-1 {
			a = Admission{Reason: "replaced by the next occurrence"} // its successor comes in the same step
		}
		if a.Admit {
			p.record(StatusSkipped, skipped, func(o schedule.Occurrence) string { return reasons[o.Nominal] })
			skipped = nil
			p.admit(o, a)
			continue
		}
		reasons[o.Nominal] = "overlap policy " + string(p.task.Overlap) + ": " + a.Reason
		skipped = append(skipped, o)
		p.pass(o)
	}
	p.record(StatusSkipped, skipped, func(o schedule.Occurrence) string { return reasons[o.Nominal] })
}

func (p *planning) admit(o schedule.Occurrence, a Admission) {
	p.plan.CancelPrevious = p.plan.CancelPrevious || a.CancelPrevious
	e := p.execution(o)
	p.await(&e)
	p.pass(o)
	p.plan.Executions = append(p.plan.Executions, e)
	p.plan.State.Runs++
	p.active.Waiting++
}

// await makes an execution wait for a success of each dependency since the
// previous occurrence.
func (p *planning) await(e *Execution) {
	if len(p.task.DependsOn) > 0 {
		e.Awaits = &Awaited{Tasks: p.task.DependsOn, Since: p.since(), Until: p.task.DependencyPolicy.until(e.DueAt)}
	}
}

// since is what dependencies must be later than: the previous occurrence,
// whether it ran or not. Before the first one everything since the creation
// counts.
func (p *planning) since() time.Time {
	t := p.task
	t.Plan = p.plan.State
	return t.since()
}

func (t Task) since() time.Time {
	if s := t.Plan.Since; s != nil {
		return *s
	}
	return t.CreatedAt.Add(-time.Microsecond)
}

// pass makes an occurrence the previous one.
func (p *planning) pass(o schedule.Occurrence) {
	nominal := Instant(o.Nominal)
	p.plan.State.Since = &nominal
}

// record writes down occurrences that do not run: a row each, or one row for all
// of them when they are many.
func (p *planning) record(s Status, occurrences []schedule.Occurrence, reason func(schedule.Occurrence) string) {
	if len(occurrences) > maxRows {
		p.recordStretch(s, occurrences, reason)
		return
	}
	for _, o := range occurrences {
		e := p.execution(o)
		e.Dismiss(s, reason(o), p.now)
		p.plan.Executions = append(p.plan.Executions, e)
	}
}

// recordMissed writes down occurrences that came due too long ago, and those
// that a later one replaces: nothing is amiss with these.
func (p *planning) recordMissed(missed []schedule.Occurrence) {
	gone := 0
	for gone < len(missed) && p.gone(missed[gone]) {
		gone++
	}
	write := p.record
	if len(missed) > maxRows {
		write = p.recordStretch
	}
	write(StatusMissed, missed[:gone], p.missReason)
	before := len(p.plan.Executions)
	write(StatusMissed, missed[gone:], p.missReason)
	for i := range p.plan.Executions[before:] {
		code := CodeReplaced
		p.plan.Executions[before+i].ErrorCode = &code
	}
}

// recordStretch records many occurrences as one row that names its range: a week
// of every-second occurrences is no 600,000 rows.
func (p *planning) recordStretch(s Status, occurrences []schedule.Occurrence, reason func(schedule.Occurrence) string) {
	if len(occurrences) == 0 {
		return
	}
	first, last := occurrences[0], occurrences[len(occurrences)-1]
	e := p.execution(first)
	e.Dismiss(s, fmt.Sprintf("%d occurrences up to %s: %s",
		len(occurrences), last.Nominal.UTC().Format(time.RFC3339), reason(last)), p.now)
	e.Result, _ = json.Marshal(map[string]any{ // three plain values: cannot fail
		"occurrences": len(occurrences), "from": Instant(first.Nominal), "to": Instant(last.Nominal),
	})
	p.plan.Executions = append(p.plan.Executions, e)
}

// dropped records the occurrences before the overdue ones that windows and
// calendars took out: nothing that the bare rule asks for goes without a trace.
func (p *planning) dropped(tt Timetable, overdue []schedule.Occurrence) error {
	if len(p.task.ExecutionWindows)+len(p.task.Calendars) == 0 || len(overdue) == 0 {
		return nil
	}
	bare := p.task
	bare.ExecutionWindows, bare.Calendars, bare.JitterMs = nil, nil, 0
	spec, err := tt.Compile(bare, nil)
	if err != nil {
		return err
	}
	kept := make(map[int64]bool, len(overdue))
	for _, o := range overdue {
		kept[o.Nominal.UnixMicro()] = true
	}
	after := p.task.CreatedAt
	if last := p.task.Plan.LastNominal; last != nil {
		after = *last
	}
	var gone []schedule.Occurrence
	for o := range occurrences(spec, after) {
		if !o.Nominal.Before(overdue[len(overdue)-1].Nominal) || len(gone) == maxOverdue {
			break
		}
		if !kept[o.Nominal.UnixMicro()] {
			gone = append(gone, o)
		}
	}
	p.record(StatusSkipped, gone, func(schedule.Occurrence) string {
		return "outside the execution windows, or on a date that a calendar excludes"
	})
	return nil
}

// gone reports whether a missed occurrence would not have run as the only one
// either.
func (p *planning) gone(o schedule.Occurrence) bool {
	return p.task.Misfire.Policy == MisfireSkip || p.beyondWindow(o)
}

func (p *planning) beyondWindow(o schedule.Occurrence) bool {
	return p.now.Sub(o.At) > max(p.task.Misfire.WindowMs.Duration(), misfireGrace)
}

func (p *planning) missReason(o schedule.Occurrence) string {
	m := p.task.Misfire
	late := p.now.Sub(o.At)
	switch {
	case p.beyondWindow(o):
		return fmt.Sprintf("came due %s ago, beyond the catch-up window of %s", late.Round(time.Millisecond), m.WindowMs.Duration())
	case m.Policy == MisfireSkip:
		return fmt.Sprintf("came due %s ago and the misfire policy is skip", late.Round(time.Millisecond))
	}
	return "a later occurrence runs instead (misfire policy latest)"
}
