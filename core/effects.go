package core

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Effects are what an attempt asks for beside its result. They happen in the
// step that stores its success, or not at all.
type Effects struct {
	State    []StateWrite // in order; the last one for a key counts
	Messages []Message    // events that the plugin publishes, and its notifications
	Tasks    []Task       // tasks that it enqueues, prepared as CreateTask does
}

// Empty reports whether there are none.
func (e Effects) Empty() bool { return len(e.State)+len(e.Messages)+len(e.Tasks) == 0 }

// Notify reports whether there are notifications among them.
func (e Effects) Notify() bool {
	return slices.ContainsFunc(e.Messages, func(m Message) bool { return m.Kind == MessageNotification })
}

// StateWrite sets or removes a value of a plugin's state.
type StateWrite struct {
	Owner     string // the task type, whose executions share the state
	Key       string
	Value     json.RawMessage // nil removes the key
	ExpiresAt *time.Time      // nil is never
}

// StateEntry is a value of a plugin's state.
type StateEntry struct {
	Key       string
	Value     json.RawMessage
	UpdatedAt time.Time
	ExpiresAt *time.Time
}

// StateStore keeps what plugins remember from run to run. What has expired is
// not there any more. It is written by the Finish of a success.
type StateStore interface {
	// PluginState lists up to limit entries of an owner whose keys begin with
	// prefix and come after a key, in order of the keys.
	PluginState(ctx context.Context, owner, prefix, after string, limit int) ([]StateEntry, error)
	// PluginStateSize is the sum of the lengths of an owner's keys and values, in
	// bytes.
	PluginStateSize(ctx context.Context, owner string) (int, error)
}

// MessagesAt returns the messages as they are when the success is stored at now:
// they happen then, by the clock of the store.
func (e Effects) MessagesAt(now time.Time) []Message {
	messages := slices.Clone(e.Messages)
	for i := range messages {
		messages[i].Time = Instant(now)
	}
	return messages
}

// EventOf makes the message that a plugin publishes: the n-th effect of an
// execution, so that a repeated attempt publishes the same. Its time is set by
// the store.
func EventOf(in Invocation, n string, eventType string, data json.RawMessage) Message {
	return effectOf(in, n, MessageEvent, eventType, data)
}

// NotificationOf is EventOf for a notification. Who delivers it knows what the
// data is.
func NotificationOf(in Invocation, n string, data json.RawMessage) Message {
	return effectOf(in, n, MessageNotification, TypeNotification, data)
}

func effectOf(in Invocation, n string, kind MessageKind, typ string, data json.RawMessage) Message {
	return Message{
		ID: in.ExecutionID + ":" + n, Kind: kind, Type: typ,
		TaskID: in.TaskID, ExecutionID: in.ExecutionID, Data: data,
	}
}

// Draft is CreateTask without storing: it validates a spec and returns the task
// as it would be stored. Errors: those of CreateTask.
func (s *Scheduler) Draft(ctx context.Context, spec TaskSpec) (Task, error) {
	now := s.clock.Now()
	t, set, err := s.prepare(ctx, NewTask(spec, now))
	if err != nil {
		return Task{}, err
	}
	return s.timetable.Arm(t, set, now)
}
