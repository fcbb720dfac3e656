package workbench

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// state is what one plugin keeps, in memory: its state, and the checkpoints of
// its executions.
type state struct {
	now func() time.Time

	mu          sync.Mutex
	entries     map[string]core.StateEntry
	checkpoints map[string]json.RawMessage // by execution id
}

func newState() *state {
	return &state{now: core.SystemClock{}.Now, entries: map[string]core.StateEntry{}, checkpoints: map[string]json.RawMessage{}}
}

// apply stores what a success has written.
func (s *state) apply(writes []core.StateWrite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range writes {
		if w.Value == nil {
			delete(s.entries, w.Key)
			continue
		}
		s.entries[w.Key] = core.StateEntry{Key: w.Key, Value: w.Value, UpdatedAt: s.now(), ExpiresAt: w.ExpiresAt}
	}
}

// kept is a copy of what is kept.
func (s *state) kept() map[string]core.StateEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

// keep puts what kept has returned in place of what is kept.
func (s *state) keep(entries map[string]core.StateEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = entries
}

// PluginState implements core.StateStore.
func (s *state) PluginState(_ context.Context, _, prefix, after string, limit int) ([]core.StateEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	var page []core.StateEntry
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		if strings.HasPrefix(key, prefix) && key > after && len(page) < limit {
			page = append(page, s.entries[key])
		}
	}
	return page, nil
}

// PluginStateSize implements core.StateStore.
func (s *state) PluginStateSize(context.Context, string) (size int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	for key, e := range s.entries {
		size += len(key) + len(e.Value)
	}
	return size, nil
}

// expire forgets what has expired. The caller holds mu.
func (s *state) expire() {
	maps.DeleteFunc(s.entries, func(_ string, e core.StateEntry) bool {
		return e.ExpiresAt != nil && !e.ExpiresAt.After(s.now())
	})
}

// SaveCheckpoint implements core.CheckpointStore.
func (s *state) SaveCheckpoint(_ context.Context, l core.Lease, value json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkpoints[l.ExecutionID] = value
	return nil
}

// end forgets the checkpoint of an execution.
func (s *state) end(executionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.checkpoints, executionID)
}

// Checkpoint implements core.CheckpointStore.
func (s *state) Checkpoint(_ context.Context, l core.Lease) (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkpoints[l.ExecutionID], nil
}

var (
	_ core.StateStore      = (*state)(nil)
	_ core.CheckpointStore = (*state)(nil)
)

// PruneOlder implements core.Pruner. A session is too young to have anything that
// is old enough.
func (*state) PruneOlder(context.Context, core.Pruning, int) (int, error) { return 0, nil }
