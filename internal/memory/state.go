package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// stateTable keeps the state of plugins: owner, then key.
type stateTable map[string]map[string]core.StateEntry

func (t stateTable) write(w core.StateWrite, now time.Time) {
	if w.Value == nil {
		delete(t[w.Owner], w.Key)
		return
	}
	if t[w.Owner] == nil {
		t[w.Owner] = map[string]core.StateEntry{}
	}
	t[w.Owner][w.Key] = core.StateEntry{Key: w.Key, Value: bytes.Clone(w.Value), UpdatedAt: now, ExpiresAt: clonePtr(w.ExpiresAt)}
}

// prune forgets up to limit entries that have expired.
func (t stateTable) prune(now time.Time, limit int) int {
	n := 0
	for _, entries := range t {
		for key, e := range entries {
			if n < limit && e.ExpiresAt != nil && !e.ExpiresAt.After(now) {
				delete(entries, key)
				n++
			}
		}
	}
	return n
}

// PluginState implements core.StateStore.
func (s *Store) PluginState(ctx context.Context, owner, prefix, after string, limit int) ([]core.StateEntry, error) {
	now, err := s.begin(ctx, "read plugin state")
	if err != nil {
		return nil, err
	}
	defer s.end()
	found := []core.StateEntry{}
	for _, key := range slices.Sorted(maps.Keys(s.state[owner])) {
		e := s.state[owner][key]
		if len(found) < limit && strings.HasPrefix(key, prefix) && key > after && (e.ExpiresAt == nil || e.ExpiresAt.After(now)) {
			e.Value, e.ExpiresAt = bytes.Clone(e.Value), clonePtr(e.ExpiresAt)
			found = append(found, e)
		}
	}
	return found, nil
}

// PluginStateSize implements core.StateStore.
func (s *Store) PluginStateSize(ctx context.Context, owner string) (int, error) {
	if _, err := s.begin(ctx, "measure plugin state"); err != nil {
		return 0, err
	}
	defer s.end()
	size := 0
	for key, e := range s.state[owner] {
		size += len(key) + len(e.Value)
	}
	return size, nil
}

// perform carries the effects of a successful attempt out.
func (s *Store) perform(e core.Effects, now time.Time) {
	for _, w := range e.State {
		s.state.write(w, now)
	}
	s.outbox.post(e.MessagesAt(now))
	for _, t := range e.Tasks {
		t.Basis = nil
		s.tasks.put(cloneTask(t))
	}
}
