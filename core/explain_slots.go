package core

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Occupancy counts who holds the slots that an execution competes for.
type Occupancy struct {
	Key         int      // executions with the concurrency key that are queued or run
	Type        int      // executions of the type that are queued or run
	TypeLimit   int      // 0 is none
	KeyHolders  []string // the oldest MaxHolders of those with the key
	TypeHolders []string // the oldest MaxHolders of those of the type
}

// MaxHolders bounds how many holders of slots are named.
const MaxHolders = 5

// slotGates are the concurrency key and the type.
func (x explaining) slotGates(ctx context.Context, e Execution, o Occupancy) ([]GateState, error) {
	key := gate(GateConcurrency, false, "no concurrency key")
	if p := e.Policy; p.ConcurrencyKey != "" {
		key = gate(GateConcurrency, o.Key >= p.MaxConcurrency, "%d of %d slots of the key %q are taken%s",
			o.Key, p.MaxConcurrency, p.ConcurrencyKey, named(o.KeyHolders))
	}
	ofType := gate(GateType, false, "%d executions of the type %q are queued or run; it has no limit", o.Type, e.Type)
	if o.TypeLimit < 0 {
		ofType = gate(GateType, false, "this node does not run %q; %d are queued or run on others", e.Type, o.Type)
	}
	if o.TypeLimit > 0 {
		ofType = gate(GateType, o.Type >= o.TypeLimit, "%d of %d executions of the type %q are queued or run%s",
			o.Type, o.TypeLimit, e.Type, named(o.TypeHolders))
	}
	if err := x.opensWhenOneEnds(ctx, &key, o.KeyHolders); err != nil {
		return nil, err
	}
	return []GateState{key, ofType}, x.opensWhenOneEnds(ctx, &ofType, o.TypeHolders)
}

// named lists who holds slots.
func named(holders []string) string {
	if len(holders) == 0 {
		return ""
	}
	return ", by " + strings.Join(holders, ", ")
}

// opensWhenOneEnds estimates when a full gate opens: when the first of the
// holders must have ended.
func (x explaining) opensWhenOneEnds(ctx context.Context, g *GateState, holders []string) error {
	if !g.Blocking {
		return nil
	}
	for _, id := range holders {
		e, err := x.scheduler.store.Execution(ctx, id)
		if CodeOf(err) == CodeNotFound {
			continue // it has ended and is pruned
		}
		if err != nil {
			return fmt.Errorf("read holder: %w", err)
		}
		if end := latestEnd(e); end != nil && (g.OpensAt == nil || end.Before(*g.OpensAt)) {
			g.OpensAt = end
		}
	}
	return nil
}

// latestEnd is when the running attempt of an execution has ended at the
// latest; nil when none runs.
func latestEnd(e Execution) *time.Time {
	if e.Status != StatusRunning {
		return nil
	}
	end := e.AttemptStart.Add(e.Policy.TimeoutMs.Duration())
	return &end
}

// queueGate tells whether the queue has room; nothing when that is not known.
func (x explaining) queueGate() []GateState {
	if x.load == nil {
		return nil
	}
	return []GateState{gate(GateQueue, x.load.Room <= 0, "%d executions are in the queue, %d more fit", x.load.Waiting, x.load.Room)}
}

// nodeGate tells whether the node has a free slot; nothing when that is not
// known.
func (x explaining) nodeGate() []GateState {
	if x.load == nil {
		return nil
	}
	l := x.load
	return []GateState{gate(GateNode, l.Running >= l.Slots, "%d of %d slots of the node %s are taken (MAX_CONCURRENT_TASKS)", l.Running, l.Slots, l.Node)}
}
