package plugins_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// ledger keeps what the service's store keeps for plugins.
type ledger struct {
	mu          sync.Mutex
	checkpoints map[string]json.RawMessage // by execution
	state       map[string]json.RawMessage // by owner and key
	pruned      []core.Status              // what was asked for
	size        int                        // what the state takes, as far as anybody asks
}

func newLedger() *ledger {
	return &ledger{checkpoints: map[string]json.RawMessage{}, state: map[string]json.RawMessage{}}
}

// SaveCheckpoint implements core.CheckpointStore.
func (l *ledger) SaveCheckpoint(_ context.Context, lease core.Lease, value json.RawMessage) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoints[lease.ExecutionID] = slices.Clone(value)
	return nil
}

// Checkpoint implements core.CheckpointStore.
func (l *ledger) Checkpoint(_ context.Context, lease core.Lease) (json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpoints[lease.ExecutionID], nil
}

// PluginState implements core.StateStore.
func (l *ledger) PluginState(_ context.Context, owner, prefix, after string, limit int) ([]core.StateEntry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var entries []core.StateEntry
	for key, value := range l.state {
		if key, mine := strings.CutPrefix(key, owner+" "); mine && strings.HasPrefix(key, prefix) && key > after {
			entries = append(entries, core.StateEntry{Key: key, Value: value})
		}
	}
	slices.SortFunc(entries, func(a, b core.StateEntry) int { return strings.Compare(a.Key, b.Key) })
	return entries[:min(limit, len(entries))], nil
}

// PluginStateSize implements core.StateStore.
func (l *ledger) PluginStateSize(context.Context, string) (int, error) { return l.size, nil }

// succeed stores what goes with a success.
func (l *ledger) succeed(effects core.Effects) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range effects.State {
		if l.state[w.Owner+" "+w.Key] = w.Value; w.Value == nil {
			delete(l.state, w.Owner+" "+w.Key)
		}
	}
}

// PruneOlder implements core.Pruner.
func (l *ledger) PruneOlder(_ context.Context, p core.Pruning, _ int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pruned = append(l.pruned, p.Status)
	return 0, nil
}
