package core

import "time"

// follow decides about a task that runs when its dependencies have done their
// part. It comes up each time one of them has ended, and when patience ends.
func (p *planning) follow(states []DependencyState) {
	since := p.since()
	until := p.patience(states, since)
	v := p.task.DependencyPolicy.Judge(p.now, since, until, states)
	if v.At.After(p.now) || since.After(p.now) {
		v.At = p.now // the clock was set back: what ended before is no time of now, or was used before
	}
	switch v.Ruling {
	case RulingOpen:
		p.runDependent(v.At)
	case RulingWait:
		p.plan.NextRun = until
	case RulingFail, RulingSkip:
		p.dismissDependent(v, until)
	}
}

// patience is when the task gives up waiting for the rest: counted from the
// first dependency that did its part. nil is never.
func (p *planning) patience(states []DependencyState, since time.Time) *time.Time {
	var first time.Time
	for _, s := range states {
		if at, ok := s.met(p.task.DependencyPolicy.Condition, s.sinceAt(p.now, since)); ok && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		return nil
	}
	return p.task.DependencyPolicy.until(first)
}

// runDependent plans the execution. Its nominal time is when the last dependency
// did its part, so that the same successes never count twice.
func (p *planning) runDependent(at time.Time) {
	if p.exhausted() {
		return
	}
	e := NewExecution(p.task, TriggerDependency, at, p.now, p.now)
	a := p.task.Overlap.Admit(p.active)
	if !a.Admit {
		e.Dismiss(StatusSkipped, "overlap policy "+string(p.task.Overlap)+": "+a.Reason, p.now)
	} else {
		p.plan.State.Runs++
		p.plan.CancelPrevious = a.CancelPrevious
	}
	p.plan.Executions = []Execution{e}
	nominal := Instant(at)
	p.plan.State.LastNominal = latest(p.plan.State.LastNominal, nominal)
	p.plan.State.Since = latest(p.plan.State.Since, nominal)
}

// dismissDependent records that the task does not run because of a dependency.
// Since stays, so that the others need not run again when the failed one is
// retried; unless patience ended, which closes the round.
func (p *planning) dismissDependent(v Verdict, until *time.Time) {
	at := Instant(v.At)
	if last := p.plan.State.LastNominal; last != nil && !at.After(*last) && !last.After(p.now) {
		return // recorded before
	}
	e := NewExecution(p.task, TriggerDependency, at, p.now, p.now)
	e.Settle(v, p.now)
	p.plan.Executions = []Execution{e}
	p.plan.State.LastNominal = latest(p.plan.State.LastNominal, at)
	if until != nil && at.Equal(*until) {
		p.plan.State.Since = latest(p.plan.State.Since, at)
	}
}

// latest returns an instant, or the mark when that is later. The marks of a task
// never move back: after the clock was set back, what ended before would count
// again.
func latest(mark *time.Time, at time.Time) *time.Time {
	if mark != nil && mark.After(at) {
		return mark
	}
	return &at
}
