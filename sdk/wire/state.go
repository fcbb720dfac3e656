package wire

import (
	"encoding/json"
	"time"
)

// StateKey is the argument of OpStateGet and OpStateDelete.
type StateKey struct {
	Key string `json:"key"`
}

// StateValue is the answer of OpStateGet.
type StateValue struct {
	Found bool            `json:"found"`
	Value json.RawMessage `json:"value,omitempty"`
}

// StateSet is the argument of OpStateSet: any JSON value, kept for TTLMS
// milliseconds, or until it is removed when that is 0.
type StateSet struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	TTLMS int64           `json:"ttlMs,omitempty"`
}

// StateList is the argument of OpStateList: the keys with a prefix that come
// after one.
type StateList struct {
	Prefix string `json:"prefix,omitempty"`
	After  string `json:"after,omitempty"`
	Limit  int    `json:"limit,omitempty"` // default and most: 100
}

// StatePage is the answer of OpStateList, in order of the keys.
type StatePage struct {
	Entries []StateEntry `json:"entries"`
	More    bool         `json:"more"`
}

// StateEntry is one value.
type StateEntry struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// Event is the argument of OpPublish.
type Event struct {
	Type string          `json:"type"` // lower-case words with dots between them, such as stream.started
	Data json.RawMessage `json:"data,omitempty"`
}

// EventReceipt is the answer of OpPublish: the event's id, the same in a later
// attempt.
type EventReceipt struct {
	ID string `json:"id"`
}

// Enqueue is the argument of OpEnqueue: a task that runs once.
type Enqueue struct {
	Type  string          `json:"type"`
	Name  string          `json:"name,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
	RunAt *time.Time      `json:"runAt,omitempty"` // default: at once
}

// EnqueueReceipt is the answer of OpEnqueue.
type EnqueueReceipt struct {
	TaskID string `json:"taskId"`
}

// Clock is the answer of OpClock.
type Clock struct {
	Now time.Time `json:"now"`
}

// Deadline is the answer of OpDeadline.
type Deadline struct {
	At     time.Time `json:"at"` // zero when there is none
	LeftMS int64     `json:"leftMs"`
}

// RandomArgs is the argument of OpRandom: how many bytes, at most 4096.
type RandomArgs struct {
	Bytes int `json:"bytes"`
}

// Random is the answer of OpRandom, bytes in base64 (RFC 4648).
type Random struct {
	Bytes []byte `json:"bytes"`
}

// SleepArgs is the argument of OpSleep.
type SleepArgs struct {
	MS int64 `json:"ms"`
}
