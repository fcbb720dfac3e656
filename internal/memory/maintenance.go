package memory

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Prune removes finished executions, idempotency keys and messages that are
// older than the retention, the oldest first, and returns how many.
func (s *Store) Prune(ctx context.Context, keep core.Retention, limit int) (int, error) {
	now, err := s.begin(ctx, "prune")
	if err != nil {
		return 0, err
	}
	defer s.end()

	n := 0
	if keep.History > 0 {
		n = s.executions.prune(now.Add(-keep.History), limit)
	}
	if keep.HistoryPerTask > 0 {
		n += s.executions.pruneTasks(keep.HistoryPerTask, limit-n)
	}
	if keep.IdempotencyKeys > 0 {
		n += s.requests.prune(now.Add(-keep.IdempotencyKeys), limit-n)
	}
	n += s.state.prune(now, limit-n)
	if keep.Outbox > 0 {
		n += s.outbox.prune(now.Add(-keep.Outbox), limit-n)
	}
	return n, nil
}

// prune forgets up to limit executions that ended before the bound.
func (l *ledger) prune(bound time.Time, limit int) int {
	n := 0
	for ; n < limit; n++ {
		_, oldest, ok := l.ended.first()
		if !ok || !endOf(oldest).Before(bound) {
			break
		}
		l.remove(oldest)
	}
	return n
}

// pruneTasks forgets the oldest finished executions of tasks that have more than
// keep.
func (l *ledger) pruneTasks(keep, limit int) int {
	n := 0
	for _, d := range l.byTask {
		finished := len(d.ids.sorted) - len(d.live.sorted)
		for _, id := range slices.Clone(d.ids.sorted) {
			if finished <= keep || n >= limit {
				break
			}
			if e, ok := l.finished[id]; ok {
				l.remove(e)
				finished--
				n++
			}
		}
	}
	return n
}

// Stats counts enabled tasks and live executions.
func (s *Store) Stats(ctx context.Context) (core.Stats, error) {
	if _, err := s.begin(ctx, "count"); err != nil {
		return core.Stats{}, err
	}
	defer s.end()

	stats := core.Stats{Waiting: map[core.Status]int{}}
	for _, t := range s.tasks.rows {
		if t.Enabled {
			stats.Tasks++
		}
	}
	for _, e := range s.executions.live {
		stats.Waiting[e.Status]++
	}
	return stats, nil
}

// Ping answers unless ctx has ended.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.begin(ctx, "ping"); err != nil {
		return err
	}
	s.end()
	return nil
}
