package wire

import "encoding/json"

// The operations a plugin can call. Arguments and answer are JSON: the
// arguments are the header of the call's frame, the answer is Reply.Value.
// A name with a dot belongs to the capability in front of the dot, if that is one.
const (
	OpLog    = "log"    // LogLine, no answer. Needs no grant
	OpConfig = "config" // no arguments, answers the plugin's config object. Needs no grant
	OpNotify = "notify" // Notification, answers a NotificationReceipt. Needs the grant notify

	OpStateGet    = "kv.get"    // StateKey, answers a StateValue. Needs the grant kv, as the next three
	OpStateSet    = "kv.set"    // StateSet, no answer
	OpStateDelete = "kv.delete" // StateKey, no answer
	OpStateList   = "kv.list"   // StateList, answers a StatePage
	OpPublish     = "publish"   // Event, answers an EventReceipt. Needs the grant publish
	OpEnqueue     = "enqueue"   // Enqueue, answers an EnqueueReceipt. Needs the grant enqueue

	OpClock    = "clock"    // no arguments, answers a Clock. Needs no grant, as the next three
	OpDeadline = "deadline" // no arguments, answers a Deadline
	OpRandom   = "random"   // RandomArgs, answers Random
	OpSleep    = "sleep"    // SleepArgs, no answer; a run that ends meanwhile ends within it
	OpHTTP     = "http"     // HTTPRequest and a payload, answers an HTTPResponse and a payload. Needs the grant http
	OpSecret   = "secret"   // SecretName, answers the placeholder of the secret, a string. Needs the grant secrets

	OpProgress      = "progress"       // Progress, no answer. Needs no grant, as the next two
	OpCheckpoint    = "checkpoint"     // Checkpoint, no answer; it is stored when the answer comes
	OpCheckpointGet = "checkpoint.get" // no arguments, answers a StateValue

	OpPrune = "maintenance.prune" // Prune, answers Pruned. Needs the grant maintenance
)

// LogLine is the argument of OpLog.
type LogLine struct {
	Level   string         `json:"level"` // debug, info, warn or error
	Message string         `json:"message"`
	Fields  map[string]any `json:"fields,omitempty"`
}

// Notification is the argument of OpNotify: a message for the people of a
// channel.
type Notification struct {
	ChannelID string   `json:"channelId"`
	Message   string   `json:"message"`
	Via       []string `json:"via,omitempty"` // routes, for example discord, email; none leaves it to the service
}

// NotificationReceipt is the answer of OpNotify: the notification's id, the same
// in a later attempt.
type NotificationReceipt struct {
	ID string `json:"id"`
}

// Progress is the argument of OpProgress.
type Progress struct {
	Percent float64 `json:"percent"` // 0 to 100
	Message string  `json:"message"` // at most 200 bytes
}

// Checkpoint is the argument of OpCheckpoint: any JSON value of at most 64 KiB.
type Checkpoint struct {
	Value json.RawMessage `json:"value"`
}

// Prune is the argument of OpPrune: what to remove from the scheduler's store.
type Prune struct {
	Target      string `json:"target"`           // history, idempotency_keys or state
	OlderThanMS int64  `json:"olderThanMs"`      // at least an hour
	Type        string `json:"type,omitempty"`   // of history: only of this task type; of state: whose, by default the plugin's own
	Status      string `json:"status,omitempty"` // of history: only of executions that ended so
	Prefix      string `json:"prefix,omitempty"` // of state: only keys that begin so
	Limit       int    `json:"limit,omitempty"`  // default and most: 1000
}

// Pruned is the answer of OpPrune.
type Pruned struct {
	Removed int  `json:"removed"`
	More    bool `json:"more"` // there may be more
}
