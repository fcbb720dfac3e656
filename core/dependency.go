package core

import (
	"fmt"
	"strings"
	"time"
)

// DependencyCondition says what of a dependency is waited for.
type DependencyCondition string

// The conditions.
const (
	OnSuccess    DependencyCondition = "success"    // an execution of it has succeeded; the default
	OnCompletion DependencyCondition = "completion" // an execution of it has ended, well or badly
)

// DependencyFailure says what happens when a dependency fails.
type DependencyFailure string

// What a failed dependency does.
const (
	DependencyFails DependencyFailure = "fail" // the execution fails with DEPENDENCY_FAILED; the default
	DependencySkips DependencyFailure = "skip" // it is recorded as skipped, with DEPENDENCY_FAILED; to those after it that is a failure too
	DependencyWaits DependencyFailure = "wait" // it goes on waiting, for a retry of the dependency
)

// DependencyPolicy says how a task waits for those it depends on.
type DependencyPolicy struct {
	Condition DependencyCondition `json:"condition"`
	OnFailure DependencyFailure   `json:"onFailure"`
	TimeoutMs Millis              `json:"timeoutMs"` // then it fails with DEPENDENCY_FAILED; 0 waits for ever
}

// maxDependencies bounds the tasks that one depends on.
const maxDependencies = 32

// Awaited is what an execution still waits for: a success (or end) of each of
// the tasks, later than Since, which is the previous occurrence of its own task.
type Awaited struct {
	Tasks []string   `json:"tasks"`
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until"` // then it gives up; nil is never
}

// DependencyState is what a task that others depend on has done last.
type DependencyState struct {
	TaskID    string
	Name      string
	Succeeded time.Time // end of the latest execution that succeeded; zero is none
	Failed    time.Time // end of the latest that failed, was cancelled or lost, or skipped because a dependency of its own failed
}

// Note takes the end of an execution that Counts into account.
func (s *DependencyState) Note(status Status, end time.Time) {
	switch {
	case status == StatusSucceeded && end.After(s.Succeeded):
		s.Succeeded = end
	case status != StatusSucceeded && end.After(s.Failed):
		s.Failed = end
	}
}

// Counts reports whether those that depend on the task care about the end of
// this execution. What did not run because of its own dependencies goes down the
// chain; what its own policies dismissed is as if it had not been.
func (e Execution) Counts() bool {
	switch e.Status {
	case StatusSucceeded, StatusFailed, StatusCancelled, StatusLost:
		return true
	case StatusSkipped:
		return e.ErrorCode != nil && *e.ErrorCode == CodeDependencyFailed
	}
	return false
}

// sinceAt is what the ends of the dependency must be later than at an instant. A
// previous occurrence that is yet to come says that the clock was set back: it
// cannot be compared with what has ended since, and to wait for the clock would
// stall the task. Then the latest end counts, and a success before a failure
// that is yet to come. It may have counted already: rather once too often than
// not at all.
func (s DependencyState) sinceAt(now, since time.Time) time.Time {
	if !since.After(now) {
		return since
	}
	end := s.Succeeded
	if s.Failed.After(end) && !s.Failed.After(now) {
		end = s.Failed
	}
	if end.IsZero() {
		return end
	}
	return end.Add(-time.Microsecond)
}

// met reports whether the dependency has done its part, and when.
func (s DependencyState) met(c DependencyCondition, since time.Time) (at time.Time, ok bool) {
	at = s.Succeeded
	if c == OnCompletion && s.Failed.After(at) {
		at = s.Failed
	}
	return at, at.After(since)
}

// failed reports whether the dependency has failed and not succeeded since.
func (s DependencyState) failed(c DependencyCondition, since time.Time) bool {
	return c == OnSuccess && s.Failed.After(since) && !s.Succeeded.After(since)
}

// Ruling is what the dependencies mean for an execution.
type Ruling string

// The rulings.
const (
	RulingOpen Ruling = "open" // all have done their part
	RulingWait Ruling = "wait"
	RulingFail Ruling = "fail" // ends with DEPENDENCY_FAILED
	RulingSkip Ruling = "skip" // ends as skipped
)

// Verdict is a ruling with its reason and the instant it rests on.
type Verdict struct {
	Ruling Ruling
	Reason string
	At     time.Time // open: when the last one did its part; fail and skip: when the first one failed
}

// Judge looks at all dependencies. until is when patience ends, nil is never.
func (p DependencyPolicy) Judge(now, since time.Time, until *time.Time, states []DependencyState) Verdict {
	v := Verdict{Ruling: RulingOpen}
	var waiting []string
	for _, s := range states {
		since := s.sinceAt(now, since)
		at, ok := s.met(p.Condition, since)
		switch {
		case ok && at.After(v.At):
			v.At = at
		case ok:
		case s.failed(p.Condition, since) && p.OnFailure != DependencyWaits:
			return p.failure(s)
		default:
			waiting = append(waiting, quoteName(s))
		}
	}
	if len(waiting) == 0 {
		return v
	}
	reason := "waits for " + strings.Join(waiting, ", ")
	if until != nil && !now.Before(*until) {
		return Verdict{Ruling: RulingFail, Reason: "waited too long: " + reason, At: *until}
	}
	return Verdict{Ruling: RulingWait, Reason: reason}
}

func (p DependencyPolicy) failure(s DependencyState) Verdict {
	ruling := RulingFail
	if p.OnFailure == DependencySkips {
		ruling = RulingSkip
	}
	return Verdict{Ruling: ruling, Reason: "its dependency " + quoteName(s) + " did not succeed", At: s.Failed}
}

func quoteName(s DependencyState) string { return fmt.Sprintf("%q (%s)", s.Name, s.TaskID) }

// until is when an execution that is due gives up waiting.
func (p DependencyPolicy) until(due time.Time) *time.Time {
	if p.TimeoutMs == 0 {
		return nil
	}
	t := Instant(due.Add(p.TimeoutMs.Duration()))
	return &t
}

func (p DependencyPolicy) check(out *problems) {
	oneOf(out, "/dependencyPolicy/condition", p.Condition, OnSuccess, OnCompletion)
	oneOf(out, "/dependencyPolicy/onFailure", p.OnFailure, DependencyFails, DependencySkips, DependencyWaits)
	out.duration("/dependencyPolicy/timeoutMs", p.TimeoutMs)
}

// checkDependencies checks what can be told without the other tasks.
func (s TaskSpec) checkDependencies(p *problems) {
	if s.ScheduleType == ScheduleDependency && len(s.DependsOn) == 0 {
		p.add("/dependsOn", "is required when scheduleType is dependency")
	}
	if len(s.DependsOn) > maxDependencies {
		p.add("/dependsOn", "%d tasks, at most %d are allowed", len(s.DependsOn), maxDependencies)
		return
	}
	seen := map[string]bool{}
	for i, id := range s.DependsOn {
		canonical, ok := ParseID(id)
		switch {
		case !ok:
			p.add(fmt.Sprintf("/dependsOn/%d", i), "is not a UUID")
		case seen[canonical]:
			p.add(fmt.Sprintf("/dependsOn/%d", i), "is named twice")
		}
		seen[canonical] = true
	}
}

// Settle applies a verdict to an execution that waits for dependencies. It
// reports whether anything changed.
func (e *Execution) Settle(v Verdict, now time.Time) bool {
	switch v.Ruling {
	case RulingOpen:
		e.Awaits = nil
	case RulingFail:
		e.Awaits = nil
		e.failDependency(v.Reason, now)
	case RulingSkip:
		code := CodeDependencyFailed
		e.Awaits, e.ErrorCode = nil, &code
		e.Dismiss(StatusSkipped, v.Reason, now)
	case RulingWait:
		return false
	}
	return true
}

func (e *Execution) failDependency(reason string, now time.Time) {
	code := CodeDependencyFailed
	e.Error, e.ErrorCode = &reason, &code
	e.finish(StatusFailed, now)
}

// FindCycle returns a way from id over its dependencies back to id, or nil.
// edges tells what a task depends on. It visits each task once.
func FindCycle(id string, dependsOn []string, edges func(id string) ([]string, error)) ([]string, error) {
	seen := map[string]bool{}
	var walk func(at string, next []string, way []string) ([]string, error)
	walk = func(at string, next []string, way []string) ([]string, error) {
		way = append(way, at)
		for _, n := range next {
			if n == id {
				return append(way, id), nil
			}
			if seen[n] {
				continue
			}
			seen[n] = true
			further, err := edges(n)
			if err != nil {
				return nil, err
			}
			if cycle, err := walk(n, further, way); cycle != nil || err != nil {
				return cycle, err
			}
		}
		return nil, nil
	}
	return walk(id, dependsOn, nil)
}

// CycleError is the answer to a dependency that leads back to its task.
func CycleError(cycle []string) error {
	return Invalid(CodeValidationFailed, []FieldProblem{{
		Field: "/dependsOn", Problem: "leads back to the task itself: " + strings.Join(cycle, " → "),
	}})
}

// UnknownDependency is the answer to a dependency that does not exist.
func UnknownDependency(index int) error {
	return Invalid(CodeValidationFailed, []FieldProblem{{
		Field: fmt.Sprintf("/dependsOn/%d", index), Problem: "no task has this id",
	}})
}
