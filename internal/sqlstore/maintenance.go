package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Prune implements core.MaintenanceStore. An execution's age counts from its
// end.
func (s *Store) Prune(ctx context.Context, keep core.Retention, limit int) (int, error) {
	s.pruning.Lock()
	defer s.pruning.Unlock()
	if s.dialect.maintain != nil {
		if err := s.dialect.maintain(ctx, s); err != nil {
			s.logger.Warn("maintenance of the database failed; it is tried again", "error", err)
		}
	}
	pruned := 0
	err := s.write(ctx, "prune", func(ctx context.Context, c conn) error {
		pruned = 0
		if keep.History > 0 {
			n, err := c.dialect.pruneOld(ctx, c, c.now.Add(-keep.History), limit)
			if err != nil {
				return err
			}
			pruned += n
		}
		if keep.HistoryPerTask > 0 && pruned < limit {
			n, err := s.pruneTasks(ctx, c, keep.HistoryPerTask, limit-pruned)
			if err != nil {
				return err
			}
			pruned += n
		}
		if keep.IdempotencyKeys > 0 && pruned < limit {
			n, err := c.pruneKeys(ctx, c.now.Add(-keep.IdempotencyKeys), limit-pruned)
			if err != nil {
				return err
			}
			pruned += n
		}
		if pruned < limit {
			n, err := c.pruneState(ctx, limit-pruned)
			if err != nil {
				return err
			}
			pruned += n
		}
		if keep.Outbox > 0 && pruned < limit {
			n, err := c.pruneOutbox(ctx, c.now.Add(-keep.Outbox), limit-pruned)
			if err != nil {
				return err
			}
			pruned += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return pruned, nil
}

// pruneHistory removes the oldest history with its logs. What ended before an
// instant was created before it, and the order of creation is what the index
// has; the end is looked at in the row.
func (c conn) pruneHistory(ctx context.Context, table string, before time.Time, limit int) (int, error) {
	var ids []string
	err := c.list(ctx, &ids, `
		SELECT id FROM `+table+`
		WHERE created_at < ? AND end_time < ?
		ORDER BY created_at LIMIT ?`+c.dialect.skipLocked, stamp(before), stamp(before), limit)
	if err != nil {
		return 0, err
	}
	return len(ids), c.removeHistory(ctx, ids)
}

// removeHistory removes executions with their logs, and remembers what others
// depend on.
func (c conn) removeHistory(ctx context.Context, ids []string) error {
	return inBatches(ids, func(batch []string) error {
		if err := c.rememberEnds(ctx, `task_history WHERE id IN (?)`, batch); err != nil {
			return err
		}
		if _, err := c.exec(ctx, `DELETE FROM task_history WHERE id IN (?)`, batch); err != nil {
			return err
		}
		_, err := c.exec(ctx, `DELETE FROM execution_logs WHERE execution_id IN (?)`, batch)
		return err
	})
}

// rememberEnds keeps when tasks that others depend on have ended, before the
// history from which it is told is removed. rows is a table with a condition.
func (c conn) rememberEnds(ctx context.Context, rows string, args ...any) error {
	_, err := c.exec(ctx, `
		INSERT INTO task_ends (task_id, status, end_time)
		SELECT task_id, status, MAX(end_time) FROM `+rows+`
			AND (`+hasEnded+` OR `+isSkippedByDependency+`) AND task_id IN (SELECT depends_on FROM task_dependencies)
		GROUP BY task_id, status
		ON CONFLICT (task_id, status) DO UPDATE SET end_time = excluded.end_time
			WHERE excluded.end_time > task_ends.end_time`, args...)
	return err
}

// tasksPerPrune bounds how many tasks one call looks at.
const tasksPerPrune = 200

// pruneTasks removes the oldest history of tasks that have more than keep. It
// walks the tasks by id, a part at each call, and begins anew after the last.
func (s *Store) pruneTasks(ctx context.Context, c conn, keep, limit int) (int, error) {
	pruned := 0
	for range tasksPerPrune {
		var task *string
		if err := c.get(ctx, &task, `SELECT MIN(task_id) FROM task_history WHERE task_id > ?`, s.pruneAfter); err != nil {
			return pruned, err
		}
		if task == nil {
			s.pruneAfter = ""
			return pruned, nil
		}
		n, err := c.pruneTask(ctx, *task, keep, limit-pruned)
		pruned += n
		if err != nil || pruned >= limit {
			return pruned, err // the same task again at the next call: it may have more
		}
		s.pruneAfter = *task
	}
	return pruned, nil
}

func (c conn) pruneTask(ctx context.Context, task string, keep, limit int) (int, error) {
	var ids []string
	err := c.list(ctx, &ids, `
		SELECT id FROM task_history
		WHERE task_id = ?
		ORDER BY id DESC LIMIT ? OFFSET ?`+c.dialect.skipLocked, task, limit, keep)
	if err != nil {
		return 0, err
	}
	return len(ids), c.removeHistory(ctx, ids)
}

func (c conn) pruneKeys(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := c.exec(ctx, `
		WITH oldest AS (
			SELECT key FROM idempotency_keys
			WHERE created_at < ?
			ORDER BY created_at LIMIT ?`+c.dialect.skipLocked+`)
		DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM oldest)`, stamp(before), limit)
	return int(n), err
}

// Stats implements core.MaintenanceStore.
func (s *Store) Stats(ctx context.Context) (core.Stats, error) {
	stats := core.Stats{Waiting: map[core.Status]int{}}
	err := s.snapshot(ctx, "count", func(ctx context.Context, c conn) error {
		if err := c.get(ctx, &stats.Tasks, `SELECT COUNT(*) FROM tasks WHERE enabled = `+c.dialect.yes); err != nil {
			return err
		}
		var counts []struct {
			Status core.Status `db:"status"`
			Count  int         `db:"number"`
		}
		err := c.list(ctx, &counts, `SELECT status, COUNT(*) AS number FROM executions GROUP BY status`)
		for _, n := range counts {
			stats.Waiting[n.Status] = n.Count
		}
		return err
	})
	if err != nil {
		return core.Stats{}, err
	}
	return stats, nil
}
