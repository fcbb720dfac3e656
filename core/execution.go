package core

import (
	"encoding/json"
	"fmt"
	"time"
)

// Status is the state of an execution. docs/state-machine.md draws them.
type Status string

// The states of an execution.
const (
	StatusPending   Status = "pending"   // planned; not yet handed to the queue, or held by a gate
	StatusQueued    Status = "queued"    // handed to the queue
	StatusRunning   Status = "running"   // claimed by a worker, under a lease
	StatusRetrying  Status = "retrying"  // waits for its next attempt
	StatusSucceeded Status = "succeeded" // final
	StatusFailed    Status = "failed"    // final: the last attempt failed
	StatusCancelled Status = "cancelled" // final: ended on request
	StatusLost      Status = "lost"      // final: the worker vanished and delivery is at_most_once
	StatusSkipped   Status = "skipped"   // final: not run by policy
	StatusMissed    Status = "missed"    // final: came due too long ago
)

// Statuses lists all states, live ones first.
func Statuses() []Status {
	return []Status{
		StatusPending, StatusQueued, StatusRunning, StatusRetrying,
		StatusSucceeded, StatusFailed, StatusCancelled, StatusLost, StatusSkipped, StatusMissed,
	}
}

// Final reports whether an execution in this state has ended for good.
func (s Status) Final() bool {
	switch s {
	case StatusPending, StatusQueued, StatusRunning, StatusRetrying:
		return false
	}
	return true
}

// Execution is one occurrence of a task and what became of it.
type Execution struct {
	ID          string          `json:"id"`
	TaskID      string          `json:"taskId"`
	TaskName    string          `json:"taskName"`
	Type        string          `json:"type"`
	Status      Status          `json:"status"`
	Trigger     Trigger         `json:"trigger"`
	NominalTime time.Time       `json:"nominalTime"` // the instant the schedule asked for
	DueAt       time.Time       `json:"dueAt"`       // no earlier start; moves with retries and deferrals
	StartTime   *time.Time      `json:"startTime"`   // start of the first attempt
	EndTime     *time.Time      `json:"endTime"`
	Duration    *Millis         `json:"duration"` // from StartTime to EndTime
	Attempt     int             `json:"attempt"`  // the current or last attempt, from 1; 0 before the first
	MaxAttempts int             `json:"maxAttempts"`
	Attempts    []Attempt       `json:"attempts"` // those that ended
	Error       *string         `json:"error"`
	ErrorCode   *Code           `json:"errorCode"`
	Result      json.RawMessage `json:"result"`
	Worker      string          `json:"worker"`
	Plugin      string          `json:"plugin"` // name@version
	RetryOf     *string         `json:"retryOf"`
	CreatedAt   time.Time       `json:"createdAt"`
	Progress    *Progress       `json:"progress"` // what an attempt has last said; nil when none has, and when it has ended

	Policy          Policy          `json:"-"` // in force when it was planned
	Awaits          *Awaited        `json:"-"` // the dependencies it waits for; nil is none, or no more
	Hours           *Hours          `json:"-"` // when it may start; nil is at any time
	Data            json.RawMessage `json:"-"` // the task's data when it was planned
	Token           int64           `json:"-"` // fencing token of the last claim
	LeaseUntil      time.Time       `json:"-"`
	CancelRequested bool            `json:"-"`
	AttemptStart    time.Time       `json:"-"` // start of the running attempt
	LateAt          *time.Time      `json:"-"` // people are told, once, when it has not started by then; nil is never, or done
}

// Attempt is one finished try at an execution.
type Attempt struct {
	Number    int       `json:"number"`
	Status    Status    `json:"status"` // succeeded, failed, cancelled or lost
	StartTime time.Time `json:"startTime"`
	EndTime   time.Time `json:"endTime"`
	Error     *string   `json:"error"`
	ErrorCode *Code     `json:"errorCode"`
	Worker    string    `json:"worker"`
	Plugin    string    `json:"plugin"`
}

// maxErrorBytes bounds the error text that an execution keeps.
const maxErrorBytes = 4 << 10

// NewExecution plans an occurrence of t at nominal, to start at due at the
// earliest.
func NewExecution(t Task, trigger Trigger, nominal, due, now time.Time) Execution {
	e := Execution{
		ID: NewID(), TaskID: t.ID, TaskName: t.Name, Type: t.Type,
		Status: StatusPending, Trigger: trigger,
		NominalTime: Instant(nominal), DueAt: Instant(due), CreatedAt: Instant(now),
		MaxAttempts: t.RetryPolicy.Attempts, Attempts: []Attempt{},
		Policy: t.Policy, Data: t.Data, Hours: hoursOf(t, trigger),
	}
	if trigger != TriggerBackfill { // it is late by its nature, and stands back for all others
		e.LateAt = t.Alerts.lateAt(due)
	}
	return e
}

// NewRetry plans a fresh execution of the same work as a finished one.
func NewRetry(of Execution, now time.Time) (Execution, error) {
	switch of.Status {
	case StatusFailed, StatusCancelled, StatusLost, StatusSkipped, StatusMissed:
	default:
		return Execution{}, Errorf(CodeConflict, "execution is %s; only failed, cancelled, lost, skipped and missed ones can be retried", of.Status)
	}
	e := of
	e.ID, e.Status, e.Trigger, e.RetryOf = NewID(), StatusPending, TriggerRetry, &of.ID
	e.DueAt, e.CreatedAt = Instant(now), Instant(now)
	e.StartTime, e.EndTime, e.Duration = nil, nil, nil
	e.Attempt, e.Attempts = 0, []Attempt{}
	e.Error, e.ErrorCode, e.Result = nil, nil, nil
	e.Worker, e.Plugin, e.Token, e.CancelRequested = "", "", 0, false
	e.Hours, e.Awaits = nil, nil
	e.LeaseUntil, e.AttemptStart = time.Time{}, time.Time{}
	e.LateAt = e.Policy.Alerts.lateAt(e.DueAt)
	return e, nil
}

// Dismiss ends an occurrence at planning: skipped or missed, with the reason.
func (e *Execution) Dismiss(s Status, reason string, now time.Time) {
	e.Status, e.Error, e.LateAt = s, &reason, nil
	e.EndTime = utc(&now)
}

// Start begins the next attempt under a lease. It refuses unless the execution
// is queued (or pending or retrying: a worker may be faster than the mark).
func (e *Execution) Start(owner string, token int64, now, leaseUntil time.Time) error {
	switch e.Status {
	case StatusPending, StatusQueued, StatusRetrying:
	default:
		return fmt.Errorf("start execution %s: it is %s", e.ID, e.Status)
	}
	now = Instant(now)
	e.Status, e.Worker, e.Token, e.LeaseUntil = StatusRunning, owner, token, Instant(leaseUntil)
	e.Attempt++
	e.AttemptStart = now
	if e.StartTime == nil {
		e.StartTime = &now
	}
	return nil
}

// Succeed ends a running execution well.
func (e *Execution) Succeed(out Outcome, now time.Time) {
	e.Plugin, e.Result = out.Plugin, out.Result
	e.endAttempt(StatusSucceeded, nil, now)
	e.Error, e.ErrorCode = nil, nil
	e.finish(StatusSucceeded, now)
}

// Fail ends the running attempt badly. The retry policy and the delivery decide
// between retrying and the final state, which depends on the failure: cancelled,
// or failed. spread is a random number in [0, 1) for the jitter.
func (e *Execution) Fail(f *Failure, plugin string, spread float64, now time.Time) {
	e.Plugin = plugin
	e.note(f)
	if f.Class == ClassCancelled {
		e.endAttempt(StatusCancelled, f, now)
		e.endCancelled(now)
		return
	}
	e.endAttempt(StatusFailed, f, now)
	e.retryOrFinish(f, spread, now)
}

// maxLost bounds how often an execution may lose its worker before it is given
// up: work that kills its worker must come to an end.
const maxLost = 5

// LoseLease ends the running attempt of a worker that vanished. It is tried
// again at once, because the delay of the retry policy is for failures of the
// work itself; so is the policy's number of attempts. Losses have a bound of
// their own. An at_most_once execution may have had its effect and ends as lost.
func (e *Execution) LoseLease(now time.Time) {
	f := &Failure{Code: CodeLeaseLost, Class: ClassRetryable, Message: "worker " + e.Worker + " stopped answering"}
	e.note(f)
	e.endAttempt(StatusLost, f, now)
	switch {
	case e.CancelRequested:
		e.endCancelled(now)
	case e.Policy.Delivery == AtMostOnce:
		e.finish(StatusLost, now)
	case e.lost() >= maxLost:
		e.finish(StatusFailed, now)
	default:
		e.Status, e.Worker, e.DueAt = StatusRetrying, "", Instant(now)
	}
}

// lost counts the attempts whose worker vanished.
func (e Execution) lost() int {
	n := 0
	for _, a := range e.Attempts {
		if a.Status == StatusLost {
			n++
		}
	}
	return n
}

// note makes a failure the execution's error.
func (e *Execution) note(f *Failure) {
	msg, code := clip(f.Message), f.Code
	e.Error, e.ErrorCode = &msg, &code
}

// HandBack returns a running execution to the queue without spending the
// attempt: its worker shuts down. One that was to be cancelled ends as
// cancelled; an at_most_once execution may have had its effect and ends as lost.
func (e *Execution) HandBack(now time.Time) {
	switch {
	case e.CancelRequested:
		e.Fail(&Failure{Code: CodeCancelled, Class: ClassCancelled, Message: "cancelled on request"}, e.Plugin, 0, now)
	case e.Policy.Delivery == AtMostOnce:
		f := &Failure{Code: CodeLeaseLost, Message: "worker " + e.Worker + " shut down before it ended"}
		e.note(f)
		e.endAttempt(StatusLost, f, now)
		e.finish(StatusLost, now)
	default:
		e.PutOff(now)
	}
}

// PutOff takes a claim back whose attempt has not begun: the execution may not
// start before due after all. Whether it is late is counted from there, unless
// it was late already: people are told once.
func (e *Execution) PutOff(due time.Time) {
	e.Attempt--
	if e.Attempt == 0 {
		if e.LateAt != nil && !e.Watched() {
			e.LateAt = e.Policy.Alerts.lateAt(due)
		}
		e.StartTime = nil
	}
	e.Status, e.Worker, e.DueAt = StatusPending, "", Instant(due)
}

// NotStarted takes a claim back whose attempt nothing was run for, for as long
// as wait. One that was to be cancelled ends as cancelled.
func (e *Execution) NotStarted(now time.Time, wait time.Duration) {
	if e.CancelRequested {
		e.HandBack(now)
		return
	}
	e.PutOff(now.Add(wait))
}

// Cancel ends an execution that is not running. A running one is asked to end
// through its worker instead.
func (e *Execution) Cancel(reason string, now time.Time) {
	code := CodeCancelled
	e.Error, e.ErrorCode = &reason, &code
	e.finish(StatusCancelled, now)
}

func (e *Execution) retryOrFinish(f *Failure, spread float64, now time.Time) {
	delay, again := e.Policy.RetryPolicy.After(e.Attempt-e.lost(), f, spread)
	switch {
	case e.CancelRequested:
		e.endCancelled(now)
	case !again || !e.mayRepeat(f):
		e.finish(StatusFailed, now)
	default:
		e.Status, e.Worker, e.DueAt = StatusRetrying, "", Instant(now.Add(delay))
	}
}

// mayRepeat tells whether another attempt keeps the promise of the delivery.
func (e *Execution) mayRepeat(f *Failure) bool {
	notBegun := f.Code == CodePluginUnavailable && e.Plugin == ""
	return e.Policy.Delivery != AtMostOnce || f.RetryAfter > 0 || notBegun
}

// endCancelled ends an execution as cancelled. Its last attempt may have ended in
// another way before the order arrived; that stays with the attempt, and in the
// text.
func (e *Execution) endCancelled(now time.Time) {
	code := CodeCancelled
	e.ErrorCode = &code
	e.finish(StatusCancelled, now)
}

func (e *Execution) endAttempt(s Status, f *Failure, now time.Time) {
	a := Attempt{
		Number: e.Attempt, Status: s, StartTime: e.AttemptStart, EndTime: Instant(now),
		Worker: e.Worker, Plugin: e.Plugin,
	}
	if f != nil {
		msg, code := clip(f.Message), f.Code
		a.Error, a.ErrorCode = &msg, &code
	}
	e.Attempts = append(e.Attempts, a)
}

func (e *Execution) finish(s Status, now time.Time) {
	now = Instant(now)
	e.Status, e.EndTime, e.Progress = s, &now, nil
	if e.StartTime != nil {
		d := MillisOf(max(0, now.Sub(*e.StartTime)))
		e.Duration = &d
	}
}

// clip bounds an error text without cutting a character in two.
func clip(s string) string {
	if len(s) <= maxErrorBytes {
		return s
	}
	cut := maxErrorBytes
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
