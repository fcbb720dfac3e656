package sdk

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// PruneTarget is a part of the scheduler's store that Context.Prune removes from.
type PruneTarget string

// The targets.
const (
	PruneHistory         PruneTarget = "history"          // executions that have ended, with their logs
	PruneIdempotencyKeys PruneTarget = "idempotency_keys" // a request that is repeated after that is a new one
	PruneState           PruneTarget = "state"            // what plugins keep with Context.Set
)

// Prune says what Context.Prune removes.
type Prune struct {
	Target    PruneTarget
	OlderThan time.Duration // since the end, the use or the last write; an hour at least
	Type      string        // of history: only this task type's; of state: whose, by default the plugin's own
	Status    string        // of history: only of executions that ended so, such as succeeded
	Prefix    string        // of state: only keys that begin so
	Limit     int           // default and most: 1000
}

// Prune removes what is old from the scheduler's store, beyond what its retention
// removes by itself, and returns how many rows that were and whether there may be
// more. Executions that have not ended are never touched. It needs
// CapabilityMaintenance.
//
// It happens at once, whatever becomes of the run. The operator's grant is for
// the state of all task types.
func (c *Context) Prune(p Prune) (removed int, more bool, err error) {
	value, err := c.Call(wire.OpPrune, wire.Prune{
		Target: string(p.Target), OlderThanMS: p.OlderThan.Milliseconds(), Type: p.Type, Status: p.Status, Prefix: p.Prefix, Limit: p.Limit,
	})
	if err != nil {
		return 0, false, fmt.Errorf("prune %s: %w", p.Target, err)
	}
	var pruned wire.Pruned
	if err := json.Unmarshal(value, &pruned); err != nil {
		return 0, false, fmt.Errorf("prune %s: read the host's answer: %w", p.Target, err)
	}
	return pruned.Removed, pruned.More, nil
}
