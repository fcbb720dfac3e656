package wire

import (
	"encoding/json"
	"time"
)

// ABI is the major version of the protocol. In WebAssembly it is also in the
// name of the marker export (task_abi_v1), so that a host can tell without
// running code.
const ABI = 1

// ContentJSON is the content type of every payload that has JSON in it.
const ContentJSON = "application/json"

// Request is the header of the frame that starts a run. The payload is the
// task's data.
type Request struct {
	ABI         int       `json:"abi"`
	ContentType string    `json:"contentType"`
	Execution   Execution `json:"execution"`
}

// Execution says which attempt of which execution a run is.
type Execution struct {
	ID             string    `json:"id"`
	TaskID         string    `json:"taskId"`
	TaskName       string    `json:"taskName"`
	Type           string    `json:"type"`
	Trigger        string    `json:"trigger"` // schedule, manual, retry, dependency or backfill
	Attempt        int       `json:"attempt"` // from 1
	MaxAttempts    int       `json:"maxAttempts"`
	Token          int64     `json:"token"`          // fencing token, grows with every claim
	IdempotencyKey string    `json:"idempotencyKey"` // the same for all attempts of the execution
	NominalTime    time.Time `json:"nominalTime"`    // the instant the schedule asked for
	Deadline       time.Time `json:"deadline"`       // when the host ends the run; zero for none
}

// Response is the header of the frame that ends a run. Error is nil after a
// success, and the payload is then the result, of the content type JSON; an
// empty payload stands for null.
type Response struct {
	ContentType string `json:"contentType,omitempty"`
	Error       *Error `json:"error,omitempty"`
}

// Reply is the header of the frame that answers an operation. Error is nil
// after a success, and Value is then the operation's answer.
type Reply struct {
	Error *Error          `json:"error,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// ErrorKind says what a failure means for the next attempt.
type ErrorKind string

// The kinds of errors.
const (
	Retryable ErrorKind = "retryable" // may succeed next time; what an unknown kind is taken for
	Permanent ErrorKind = "permanent" // will fail again
	Denied    ErrorKind = "denied"    // the operation was not granted
)

// Error is a failure as it crosses the border, in either direction.
type Error struct {
	Kind         ErrorKind `json:"kind"`
	Message      string    `json:"message"`
	RetryAfterMS int64     `json:"retryAfterMs,omitempty"` // wish for the next attempt, milliseconds
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Manifest is what a plugin says about itself: the answer of task_describe, as
// the header of a frame without payload.
type Manifest struct {
	ABI          int             `json:"abi"`
	Name         string          `json:"name"`
	Version      string          `json:"version"` // semantic version, without a leading v
	Summary      string          `json:"summary,omitempty"`
	Capabilities []string        `json:"capabilities,omitempty"` // what it will use and must be granted
	Optional     []string        `json:"optional,omitempty"`     // what it will use when it is granted
	DataSchema   json.RawMessage `json:"dataSchema,omitempty"`   // JSON Schema of the task's data; none accepts all
	ConfigSchema json.RawMessage `json:"configSchema,omitempty"` // JSON Schema of its config; none accepts no config
	Limits       *Limits         `json:"limits,omitempty"`       // what it needs of the limits; none needs nothing special
	Sample       json.RawMessage `json:"sample,omitempty"`       // task data that it is tested with; none is not tested
}

// Limits is what a plugin needs at the least, by limit. 0 says nothing about it.
type Limits struct {
	Memory            int64 `json:"memory,omitempty"` // bytes, as all sizes
	TimeoutMS         int64 `json:"timeoutMs,omitempty"`
	CPUMS             int64 `json:"cpuMs,omitempty"`
	Output            int64 `json:"output,omitempty"`
	State             int64 `json:"kv,omitempty"`
	HostCalls         int64 `json:"hostCalls,omitempty"`
	HTTPRequests      int64 `json:"httpRequests,omitempty"`
	HTTPRequestBytes  int64 `json:"httpRequestBytes,omitempty"`
	HTTPResponseBytes int64 `json:"httpResponseBytes,omitempty"`
	HTTPBytes         int64 `json:"httpBytes,omitempty"`
}
