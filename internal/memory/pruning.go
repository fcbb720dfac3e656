package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// PruneOlder implements core.Pruner.
func (s *Store) PruneOlder(ctx context.Context, p core.Pruning, limit int) (int, error) {
	now, err := s.begin(ctx, "prune")
	if err != nil {
		return 0, err
	}
	defer s.end()

	before := now.Add(-p.OlderThan)
	switch p.Target {
	case core.PruneHistory:
		return s.executions.pruneEnded(p, before, limit), nil
	case core.PruneIdempotencyKeys:
		return s.requests.prune(before, limit), nil
	case core.PruneState:
		return s.state.pruneOld(p.Type, p.Prefix, before, limit), nil
	}
	return 0, fmt.Errorf("prune: nothing is called %q", p.Target)
}

// pruneEnded forgets up to limit executions of a type or with a status that ended
// before the bound, the oldest first.
func (l *ledger) pruneEnded(p core.Pruning, bound time.Time, limit int) int {
	var old []*core.Execution
	for e := range l.ended.all() {
		if len(old) >= limit || !endOf(e).Before(bound) {
			break
		}
		if (p.Type == "" || e.Type == p.Type) && (p.Status == "" || e.Status == p.Status) {
			old = append(old, e)
		}
	}
	for _, e := range old {
		l.remove(e)
	}
	return len(old)
}

// pruneOld forgets up to limit entries that were written before the bound.
func (t stateTable) pruneOld(owner, prefix string, bound time.Time, limit int) int {
	var old []string
	for key, e := range t[owner] {
		if strings.HasPrefix(key, prefix) && e.UpdatedAt.Before(bound) {
			old = append(old, key)
		}
	}
	slices.Sort(old)
	old = old[:min(limit, len(old))]
	for _, key := range old {
		delete(t[owner], key)
	}
	return len(old)
}
