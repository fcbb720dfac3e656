package core

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// MessageKind says to whom a message of the outbox goes.
type MessageKind string

// The kinds of messages.
const (
	MessageEvent MessageKind = "event" // to whoever listens: one for every end of an execution, and for what happens to plugins
	MessageAlert MessageKind = "alert" // to people: something went wrong

	MessageNotification MessageKind = "notification" // to people: a plugin has something to say
)

// The types of messages: what happened. An event of a final state is named
// after the state: execution.succeeded, execution.failed and so on.
const (
	TypeExecutionLate   = "execution.late"   // it has not started in time
	TypeExecutionMissed = "execution.missed" // it came due too long ago and does not run
	TypeExecutionFailed = "execution.failed" // it failed for good
	TypeExecutionLost   = "execution.lost"   // its worker vanished and it may not run twice

	TypeNotification = "notification" // a plugin has something to say to people
)

// Message is one thing that the outside is to be told. It is written in the
// step that makes it true and delivered at least once; the same message has the
// same ID on every delivery. The messages of a kind about one task are
// delivered in order of Seq, unless one is put off. Events that were written in
// one step may share a Seq.
type Message struct {
	ID          string // UUID version 7
	Seq         int64  // set by the store; never falls
	Kind        MessageKind
	Type        string // such as execution.failed
	TaskID      string // empty, as ExecutionID, in what is about no execution
	ExecutionID string
	Time        time.Time       // when it happened
	Data        json.RawMessage // a MessageData, a PluginEvent, or what the plugin said
	Tries       int             // deliveries that failed
}

// MessageData is what a message says: the execution without what the plugin
// answered, and the sentence that an alert is about.
type MessageData struct {
	Execution ExecutionSummary `json:"execution"`
	Text      string           `json:"text,omitempty"`
}

// ExecutionSummary is an execution as messages show it.
type ExecutionSummary struct {
	ID          string     `json:"id"`
	TaskID      string     `json:"taskId"`
	TaskName    string     `json:"taskName"`
	Type        string     `json:"type"`
	Status      Status     `json:"status"`
	Trigger     Trigger    `json:"trigger"`
	NominalTime time.Time  `json:"nominalTime"`
	StartTime   *time.Time `json:"startTime"`
	EndTime     *time.Time `json:"endTime"`
	Duration    *Millis    `json:"duration"`
	Attempt     int        `json:"attempt"`
	MaxAttempts int        `json:"maxAttempts"`
	Error       *string    `json:"error"`
	ErrorCode   *Code      `json:"errorCode"`
	Worker      string     `json:"worker"`
	Plugin      string     `json:"plugin"`
	RetryOf     *string    `json:"retryOf"`
}

// Alerts says what people are told about a task's executions.
type Alerts struct {
	LateAfterMs Millis `json:"lateAfterMs"` // one that has not started so long after it was due; 0 is never
	Missed      bool   `json:"missed"`      // occurrences that do not run because they came due too long ago, but not those that a later one replaces
	Failed      bool   `json:"failed"`      // one that failed for good or was lost
}

func (a Alerts) check(out *problems) { out.duration("/alerts/lateAfterMs", a.LateAfterMs) }

// lateAt is when an execution that is due is late; nil is never.
func (a Alerts) lateAt(due time.Time) *time.Time {
	if a.LateAfterMs == 0 {
		return nil
	}
	at := Instant(due.Add(a.LateAfterMs.Duration()))
	return &at
}

// Watched reports whether people are to be told that the execution is late, now
// or when the time comes: it has not started in time, and nobody was told.
func (e Execution) Watched() bool {
	return e.LateAt != nil && (e.StartTime == nil || !e.StartTime.Before(*e.LateAt))
}

// late reports whether the execution started late, or has not started and is
// late at an instant.
func (e Execution) late(at time.Time) bool {
	if e.StartTime != nil {
		at = *e.StartTime
	}
	return e.LateAt != nil && !at.Before(*e.LateAt)
}

// MessagesOf returns what is to be told about executions that are in a new
// state at now: an event for each that has ended, and the alerts that their
// policies ask for. Occurrences of one task that were missed together are one
// alert. Those that have not ended say nothing.
func MessagesOf(executions []Execution, now time.Time) []Message {
	var all []Message
	missed := map[string][]Execution{} // by task
	var tasks []string
	for _, e := range executions {
		if !e.Status.Final() {
			continue
		}
		if e.late(now) {
			all = append(all, LateMessages(e, now)...)
		}
		all = append(all, message(MessageEvent, eventType(e.Status), e, "", now))
		switch {
		case e.Policy.Alerts.Failed && (e.Status == StatusFailed || e.Status == StatusLost):
			all = append(all, message(MessageAlert, eventType(e.Status), e, failureText(e), now))
		case e.Policy.Alerts.Missed && e.Status == StatusMissed && !e.replaced():
			if missed[e.TaskID] == nil {
				tasks = append(tasks, e.TaskID)
			}
			missed[e.TaskID] = append(missed[e.TaskID], e)
		}
	}
	for _, id := range tasks {
		last := missed[id][len(missed[id])-1]
		all = append(all, message(MessageAlert, TypeExecutionMissed, last, missedText(missed[id]), now))
	}
	return all
}

// replaced reports whether the occurrence was missed because a later one runs.
func (e Execution) replaced() bool { return e.ErrorCode != nil && *e.ErrorCode == CodeReplaced }

// LateMessages returns what is to be told about an execution that is late: an
// event and an alert.
func LateMessages(e Execution, now time.Time) []Message {
	text := lateText(e)
	return []Message{
		message(MessageEvent, TypeExecutionLate, e, text, now),
		message(MessageAlert, TypeExecutionLate, e, text, now),
	}
}

func eventType(s Status) string { return "execution." + string(s) }

func message(kind MessageKind, typ string, e Execution, text string, now time.Time) Message {
	data, _ := json.Marshal(MessageData{Execution: e.summary(), Text: text}) // plain values: cannot fail
	return Message{
		ID: NewID(), Kind: kind, Type: typ, TaskID: e.TaskID, ExecutionID: e.ID, Time: Instant(now), Data: data,
	}
}

func (e Execution) summary() ExecutionSummary {
	return ExecutionSummary{
		ID: e.ID, TaskID: e.TaskID, TaskName: e.TaskName, Type: e.Type, Status: e.Status, Trigger: e.Trigger,
		NominalTime: e.NominalTime, StartTime: e.StartTime, EndTime: e.EndTime, Duration: e.Duration,
		Attempt: e.Attempt, MaxAttempts: e.MaxAttempts, Error: e.Error, ErrorCode: e.ErrorCode,
		Worker: e.Worker, Plugin: e.Plugin, RetryOf: e.RetryOf,
	}
}

func failureText(e Execution) string {
	text := fmt.Sprintf("task %q failed%s", e.TaskName, e.spent())
	if e.Status == StatusLost {
		text = fmt.Sprintf("an execution of task %q was lost", e.TaskName)
	}
	if e.Error != nil {
		text += ": " + *e.Error
	}
	return text
}

// spent says what an execution has used up: attempts, which the retry policy
// counts, and workers, which it does not. "" when it has not begun.
func (e Execution) spent() string {
	lost := e.lost()
	tried := e.Attempt - lost
	workers := fmt.Sprintf("%d lost workers", lost)
	if lost == 1 {
		workers = "1 lost worker"
	}
	switch {
	case e.Attempt == 0:
		return ""
	case lost == 0:
		return fmt.Sprintf(" after %d of %d attempts", tried, e.MaxAttempts)
	case tried == 0:
		return " after " + workers
	}
	return fmt.Sprintf(" after %d of %d attempts and %s", tried, e.MaxAttempts, workers)
}

func missedText(missed []Execution) string {
	first, last := missed[0], missed[len(missed)-1]
	reason := ""
	if last.Error != nil {
		reason = ": " + *last.Error
	}
	if len(missed) == 1 {
		return fmt.Sprintf("task %q missed the occurrence of %s%s", last.TaskName, rfc3339(last.NominalTime), reason)
	}
	return fmt.Sprintf("task %q missed %d occurrences from %s to %s%s",
		last.TaskName, len(missed), rfc3339(first.NominalTime), rfc3339(last.NominalTime), reason)
}

func lateText(e Execution) string {
	due := e.LateAt.Add(-e.Policy.Alerts.LateAfterMs.Duration())
	if e.StartTime != nil {
		return fmt.Sprintf("task %q was due at %s and started %s late", e.TaskName, rfc3339(due), e.StartTime.Sub(due).Round(time.Millisecond))
	}
	return fmt.Sprintf("task %q was due at %s and has not started %s later", e.TaskName, rfc3339(due), e.Policy.Alerts.LateAfterMs.Duration())
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Publisher takes events to whoever listens.
type Publisher interface {
	// Publish takes all of the messages, in order, or fails; then they come
	// again. What it has taken survives it.
	Publish(ctx context.Context, messages []Message) error
}

// Messenger takes alerts and notifications to people.
type Messenger interface {
	// Deliver delivers one message, or learns from its ID that it was delivered
	// before. An error that is a *Failure says whether, and after how long, to try
	// again; any other is tried again.
	Deliver(ctx context.Context, m Message) error
}

// OutboxStore keeps messages until they are delivered. The other methods of the
// store write those about executions, in the steps that end them.
type OutboxStore interface {
	// Tell adds messages that come of no execution, all of them or none. They are
	// due at once: one that lies ahead of the store's clock happens now.
	Tell(ctx context.Context, messages []Message) error
	// Outbox lists messages of a kind whose time has come, in order of Seq: up to
	// limit, or all that share the first Seq where those are more.
	Outbox(ctx context.Context, kind MessageKind, limit int) (OutboxReport, error)
	// SettleOutbox removes the messages of Seqs that were delivered, or given up,
	// and puts others off. A message that is gone already is no error.
	SettleOutbox(ctx context.Context, done []int64, later []Postponed) error
	// RaiseLate writes the messages about up to limit executions that are late,
	// once for each.
	RaiseLate(ctx context.Context, limit int) (LateReport, error)
}

// NotAfter returns the messages with none of them ahead of now: clocks differ.
func NotAfter(messages []Message, now time.Time) []Message {
	out := slices.Clone(messages)
	for i := range out {
		if out[i].Time.After(now) {
			out[i].Time = Instant(now)
		}
	}
	return out
}

// OutboxReport is a look at the outbox.
type OutboxReport struct {
	Messages []Message
	Wait     time.Duration // until the next one is due; 0: more are due now; negative: none waits
}

// Postponed puts a message off after a delivery that failed.
type Postponed struct {
	Seq   int64
	After time.Duration
}

// LateReport says what a RaiseLate did.
type LateReport struct {
	Raised []Execution
	Wait   time.Duration // until the next one is late; 0: more are now; negative: none will be
}
