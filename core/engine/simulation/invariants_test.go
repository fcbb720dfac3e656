package simulation

import (
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// checkTransition demands that a change of an execution is one that the step
// may make.
func (r *recorder) checkTransition(s *step, was, e core.Execution, known bool) {
	r.w.trace.note("%s: %s of %s %s → %s attempt %d token %d due %s", s.name, short(e.ID), short(e.TaskID),
		was.Status, e.Status, e.Attempt, e.Token, e.DueAt.Format("15:04:05.000000"))
	about := []string{e.ID}
	switch {
	case !known:
		if s.name != "plan" && s.name != "submit" && s.name != "backfill" {
			r.w.trace.violate(about, "%s made an execution", s.name)
		}
	case was.Status.Final():
		r.w.trace.violate(about, "execution %s was %s and is changed to %s by %s", short(e.ID), was.Status, e.Status, s.name)
	case was.Status == core.StatusRunning && e.Status == core.StatusRunning:
		r.checkRunning(s, was, e)
	case was.Status == core.StatusRunning:
		r.checkEnding(s, was, e)
	case e.Status == core.StatusRunning:
		r.checkStart(s, was, e)
	case e.Attempt != was.Attempt || e.Token != was.Token:
		r.w.trace.violate(about, "execution %s did not run and %s changed its attempt", short(e.ID), s.name)
	}
	r.checkAttempts(e)
}

// checkRunning: while it runs, only a heartbeat with its token moves the lease.
func (r *recorder) checkRunning(s *step, was, e core.Execution) {
	lease := core.Lease{ExecutionID: e.ID, Token: was.Token}
	if e.Token != was.Token || e.Attempt != was.Attempt {
		r.w.trace.violate([]string{e.ID}, "execution %s runs and %s gave it away", short(e.ID), s.name)
	}
	kept := s.name == "heartbeat" && slices.Contains(s.leases, lease)
	if !kept && !e.LeaseUntil.Equal(was.LeaseUntil) {
		r.w.trace.violate([]string{e.ID}, "%s moved the lease of %s", s.name, short(e.ID))
	}
}

// checkEnding: only the holder of the token ends an attempt, or a reaper after
// the lease.
func (r *recorder) checkEnding(s *step, was, e core.Execution) {
	about := []string{e.ID}
	switch s.name {
	case "finish":
		if !slices.Contains(s.leases, core.Lease{ExecutionID: e.ID, Token: was.Token}) {
			r.w.trace.violate(about, "execution %s was ended with an old token, not %d", short(e.ID), was.Token)
		}
	case "reap":
		if !was.LeaseUntil.Before(s.now) {
			r.w.trace.violate(about, "execution %s was reaped and its lease lasts until %s", short(e.ID), was.LeaseUntil)
		}
	default:
		r.w.trace.violate(about, "execution %s ran and %s made it %s", short(e.ID), s.name, e.Status)
	}
}

// checkStart: a claim starts the next attempt of what is due, with a new token.
func (r *recorder) checkStart(s *step, was, e core.Execution) {
	about := []string{e.ID}
	if s.name != "claim" {
		r.w.trace.violate(about, "%s started execution %s", s.name, short(e.ID))
	}
	if was.DueAt.After(s.now) {
		r.w.trace.violate(about, "execution %s started %s early", short(e.ID), was.DueAt.Sub(s.now))
	}
	if was.Awaits != nil {
		r.w.trace.violate(about, "execution %s started before its dependencies", short(e.ID))
	}
	if e.Token <= s.tokens {
		r.w.trace.violate(about, "token %d of execution %s is not greater than %d", e.Token, short(e.ID), s.tokens)
	}
	if g, given := r.tokens[e.Token]; given {
		r.w.trace.violate(about, "token %d of execution %s was given to %s before", e.Token, short(e.ID), short(g.executionID))
	}
	if e.Attempt != was.Attempt+1 {
		r.w.trace.violate(about, "execution %s went from attempt %d to %d", short(e.ID), was.Attempt, e.Attempt)
	}
	r.last = max(r.last, e.Token)
	r.tokens[e.Token] = grant{e.ID, s.owner}
}

// checkAttempts: the attempts that ended are numbered from 1 without gaps.
func (r *recorder) checkAttempts(e core.Execution) {
	ended := e.Attempt
	if e.Status == core.StatusRunning {
		ended--
	}
	for i, a := range e.Attempts {
		if a.Number != i+1 {
			r.w.trace.violate([]string{e.ID}, "execution %s: attempt %d has the number %d", short(e.ID), i+1, a.Number)
		}
	}
	if len(e.Attempts) != ended {
		r.w.trace.violate([]string{e.ID}, "execution %s is %s after attempt %d and has %d of them", short(e.ID), e.Status, e.Attempt, len(e.Attempts))
	}
}

// checkGates: what runs keeps to exclusiveness, concurrency keys and type limits.
func (r *recorder) checkGates() {
	exclusive, keys, types := map[string]int{}, map[string]int{}, map[string]int{}
	for _, id := range r.live {
		e := r.known[id]
		if e.Status != core.StatusRunning {
			continue
		}
		if e.Policy.Overlap.Exclusive() {
			exclusive[e.TaskID]++
		}
		keys[e.Policy.ConcurrencyKey]++
		types[e.Type]++
		if n := exclusive[e.TaskID]; n > 1 {
			r.w.trace.violate([]string{e.TaskID}, "task %s: %d executions run", short(e.TaskID), n)
		}
		if n := keys[e.Policy.ConcurrencyKey]; e.Policy.ConcurrencyKey != "" && n > e.Policy.MaxConcurrency {
			r.w.trace.violate([]string{e.ID}, "concurrency key %s: %d executions run", e.Policy.ConcurrencyKey, n)
		}
		if n, limit := types[e.Type], typeLimits[e.Type]; limit > 0 && n > limit {
			r.w.trace.violate([]string{e.ID}, "type %s: %d executions run", e.Type, n)
		}
	}
}

// checkCall: the plugin is only called by whom the store gave the token, and
// while the lease is held. After a jump of the store's clock another node may
// have taken it back without the first one's knowing.
func (r *recorder) checkCall(node string, in core.Invocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	about := []string{in.ExecutionID}
	if g := r.tokens[in.Token]; g.executionID != in.ExecutionID || g.owner != node {
		r.w.trace.violate(about, "%s calls the plugin for %s with token %d of %s", node, short(in.ExecutionID), in.Token, g.owner)
	}
	e := r.known[in.ExecutionID]
	jumped := !r.jumped.IsZero() && time.Since(r.jumped) < 2*leaseTTL
	if !jumped && (e.Token != in.Token || e.Status != core.StatusRunning) {
		r.w.trace.violate(about, "%s calls the plugin for %s with token %d, and the execution is %s with token %d",
			node, short(in.ExecutionID), in.Token, e.Status, e.Token)
	}
}

// settled demands that nothing is left that could go on, and what must be true
// of every execution in the end.
func (r *recorder) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.w.clock.Now()
	for _, id := range r.all() {
		e := r.known[id]
		stored, err := r.Store.Execution(bg(), id)
		if err != nil || !same(e, stored) {
			r.w.trace.violate([]string{id}, "execution %s was %s and is %s in the end", short(id), e.Status, stored.Status)
		}
		if !e.Status.Final() && !mayWait(e) && now.Sub(e.DueAt) > time.Minute {
			r.w.trace.violate([]string{id, e.TaskID}, "execution %s is stuck: %s since %s", short(id), e.Status, e.DueAt)
		}
		if calls := r.w.journal.callsOf(id); e.Policy.Delivery == core.AtMostOnce && calls > 1+asked(e) {
			r.w.trace.violate([]string{id}, "at_most_once execution %s was started %d times", short(id), calls)
		}
	}
}

// mayWait reports whether an execution waits for dependencies without an end to
// its patience.
func mayWait(e core.Execution) bool { return e.Awaits != nil && e.Awaits.Until == nil }

// due reports whether an execution waits although its time has come. One that
// its windows have put off may wait for long.
func (r *recorder) due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.w.clock.Now()
	return slices.ContainsFunc(r.live, func(id string) bool {
		e := r.known[id]
		return !mayWait(e) && (e.Status == core.StatusRunning || !e.DueAt.After(now))
	})
}

// asked counts the attempts after which the plugin asked for another: those are
// followed by one whatever the delivery.
func asked(e core.Execution) int {
	n := 0
	for _, a := range e.Attempts {
		if a.Status == core.StatusFailed && *a.Error == asksAgain {
			n++
		}
	}
	return n
}

// caughtUp demands that no task on the clock is behind, and that none waits for
// dependencies which have done their part.
func (r *recorder) caughtUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := core.Instant(r.w.clock.Now())
	for id, t := range r.tasks {
		if !t.Enabled || t.PauseReason != nil {
			continue
		}
		if e, ok := r.agenda.entries[id]; ok && e.more && now.Sub(e.next.At) > time.Minute {
			r.w.trace.violate([]string{id}, "task %s: %s is forgotten", short(id), e.next.Nominal)
		}
		if t.ScheduleType == core.ScheduleDependency {
			r.checkFollowing(t, now)
		}
	}
}

func (r *recorder) checkFollowing(t core.Task, now time.Time) {
	states, err := r.Store.Dependencies(bg(), t.DependsOn)
	if err != nil || t.MaxRuns > 0 && t.Plan.Runs >= t.MaxRuns {
		return
	}
	since := t.CreatedAt.Add(-time.Microsecond)
	if t.Plan.Since != nil {
		since = *t.Plan.Since
	}
	// What ended before the clock was set back cannot be compared with what came
	// after: it may count, and need not.
	if v := t.DependencyPolicy.Judge(now, since, nil, states); v.Ruling == core.RulingOpen &&
		v.At.After(r.setBack) && !since.After(now) && now.Sub(v.At) > time.Minute {
		r.w.trace.violate([]string{t.ID}, "task %s: its dependencies have done their part at %s and it was forgotten", short(t.ID), v.At)
	}
}
