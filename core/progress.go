package core

import (
	"context"
	"encoding/json"
	"time"
)

// Progress is how far an attempt says it is.
type Progress struct {
	Percent float64   `json:"percent"` // 0 to 100
	Message string    `json:"message"` // for people
	At      time.Time `json:"at"`      // when it said so
}

// ProgressReport is the progress of an attempt.
type ProgressReport struct {
	Lease
	Progress Progress
}

// CheckpointStore keeps how far the work of an execution has come, for the
// attempt that goes on with it. A checkpoint is removed when its execution ends.
// Both methods fail with ErrLeaseLost when the lease is not held any more: what
// a zombie says must not reach its heir.
type CheckpointStore interface {
	// SaveCheckpoint replaces the checkpoint of an execution: any JSON. It is
	// durable when SaveCheckpoint returns.
	SaveCheckpoint(ctx context.Context, l Lease, value json.RawMessage) error
	// Checkpoint returns what this attempt or an earlier one of the execution has
	// saved last, nil when there is nothing.
	Checkpoint(ctx context.Context, l Lease) (json.RawMessage, error)
}
