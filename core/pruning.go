package core

import (
	"context"
	"time"
)

// PruneTarget is a part of the store that can be pruned on request.
type PruneTarget string

// The targets.
const (
	PruneHistory         PruneTarget = "history"          // executions that have ended, with their logs
	PruneIdempotencyKeys PruneTarget = "idempotency_keys" // with them goes the recognition of repeated requests
	PruneState           PruneTarget = "state"            // what plugins have kept
)

// Pruning says what to remove beyond what the retention already does.
type Pruning struct {
	Target PruneTarget
	// OlderThan is the least age: of an execution since its end, of a key since it
	// was used, of state since it was written.
	OlderThan time.Duration

	// Type restricts history to a task type. Of state it says whose, and must be
	// set.
	Type string
	// Status restricts history to executions that ended so.
	Status Status
	// Prefix restricts state to keys that begin with it.
	Prefix string
}

// Pruner removes what is old. Live executions are never touched.
type Pruner interface {
	// PruneOlder removes up to limit rows, the oldest of the history first, and
	// returns how many. Fewer than limit means that nothing is left.
	PruneOlder(ctx context.Context, p Pruning, limit int) (int, error)
}
