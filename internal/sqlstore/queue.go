package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// MarkQueued implements core.QueueStore. It returns the ids of both kinds: those
// marked and those put off.
func (s *Store) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	var free, paid []string
	var put []core.QueueMark
	for _, m := range marks {
		switch {
		case !m.DeferTo.IsZero():
			put = append(put, m)
		case m.Paid:
			paid = append(paid, m.ID)
		default:
			free = append(free, m.ID)
		}
	}
	var marked []string
	err := s.write(ctx, "mark queued", func(ctx context.Context, c conn) error {
		queued, err := c.queue(ctx, free, `limit_paid`)
		if err != nil {
			return err
		}
		limited, err := c.queue(ctx, paid, `1`)
		if err != nil {
			return err
		}
		queued = append(queued, limited...)
		deferred, err := c.deferTo(ctx, put)
		marked = append(queued, deferred...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return marked, nil
}

func (c conn) deferTo(ctx context.Context, marks []core.QueueMark) (ids []string, err error) {
	err = inBatches(marks, func(batch []core.QueueMark) error {
		args := make([]any, 0, 2*len(batch))
		for _, m := range batch {
			args = append(args, m.ID, stamp(m.DeferTo))
		}
		var part []string
		err := c.list(ctx, &part, `
			WITH v (id, due_at) AS (VALUES `+tuples(len(batch), 2)+`)
			UPDATE executions SET due_at = v.due_at
			FROM v WHERE executions.id = v.id AND executions.`+isReady+`
			RETURNING executions.id`, args...)
		ids = append(ids, part...)
		return err
	})
	return ids, err
}

// queue marks executions; limitPaid is what becomes of that column.
func (c conn) queue(ctx context.Context, ids []string, limitPaid string) (queued []string, err error) {
	err = inBatches(ids, func(batch []string) error {
		var part []string
		err := c.list(ctx, &part, `
			UPDATE executions SET status = 'queued', queued_at = ?, limit_paid = `+limitPaid+`
			WHERE id IN (?) AND `+isReady+`
			RETURNING id`, stamp(c.now), batch)
		queued = append(queued, part...)
		return err
	})
	return queued, err
}

// Unqueue implements core.QueueStore.
func (s *Store) Unqueue(ctx context.Context, ids []string) error {
	return s.write(ctx, "unqueue", func(ctx context.Context, c conn) error {
		return inBatches(ids, func(batch []string) error {
			_, err := c.exec(ctx, `
				UPDATE executions SET status = 'pending', queued_at = NULL
				WHERE id IN (?) AND `+isQueued, batch)
			return err
		})
	})
}

// UnqueueStale implements core.QueueStore.
func (s *Store) UnqueueStale(ctx context.Context, age time.Duration, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "unqueue stale", func(ctx context.Context, c conn) (err error) {
		n, err = c.exec(ctx, `
			UPDATE executions SET status = 'pending', queued_at = NULL
			WHERE id IN (
				SELECT id FROM executions
				WHERE `+isQueued+` AND queued_at < ?
				ORDER BY queued_at LIMIT ?`+c.dialect.skipLocked+`)`, stamp(c.now.Add(-age)), limit)
		return err
	})
	return int(n), err
}
