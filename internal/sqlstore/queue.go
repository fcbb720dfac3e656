package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// MarkQueued implements core.QueueStore. It returns the ids of both kinds: those
// marked and those put off.
func (s *Store) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	var free []string
	var put []core.QueueMark
	for _, m := range marks {
		if m.DeferTo.IsZero() {
			free = append(free, m.ID)
		} else {
			put = append(put, m)
		}
	}
	var marked []string
	err := s.write(ctx, "mark queued", func(ctx context.Context, c conn) error {
		queued, err := c.queue(ctx, free)
		if err != nil {
			return err
		}
		deferred, err := c.deferTo(ctx, put)
		marked = append(queued, deferred...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return marked, nil
}

func (c conn) deferTo(ctx context.Context, marks []core.QueueMark) (deferred []string, err error) {
	err = inBatches(marks, func(batch []core.QueueMark) error {
		const columns = `id, due_at`
		ids, args := make([]string, len(batch)), make([]any, 0, 2*len(batch))
		for i, m := range batch {
			ids[i], args = m.ID, append(args, m.ID, stamp(m.DeferTo))
		}
		if err := c.lockLive(ctx, ids); err != nil {
			return err
		}
		v, args := c.table(columns, args)
		var part []string
		err := c.list(ctx, &part, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE executions SET due_at = v.due_at
			FROM v WHERE executions.id = v.id AND `+hereReady+`
			RETURNING executions.id`, args...)
		deferred = append(deferred, part...)
		return err
	})
	return deferred, err
}

// queue marks executions.
func (c conn) queue(ctx context.Context, ids []string) (queued []string, err error) {
	err = inBatches(slices.Sorted(slices.Values(ids)), func(batch []string) error {
		var part []string
		v, args := c.inOrder(batch)
		err := c.list(ctx, &part, v+`
			UPDATE executions SET status = 'queued', queued_at = ?
			FROM v WHERE id = v.named_id AND `+hereReady+`
			RETURNING id`, append(args, stamp(c.now))...)
		queued = append(queued, part...)
		return err
	})
	return queued, err
}

// Unqueue implements core.QueueStore.
func (s *Store) Unqueue(ctx context.Context, ids []string) error {
	return s.write(ctx, "unqueue", func(ctx context.Context, c conn) error {
		return inBatches(slices.Sorted(slices.Values(ids)), func(batch []string) error {
			v, args := c.inOrder(batch)
			_, err := c.exec(ctx, v+`
				UPDATE executions SET status = 'pending', queued_at = NULL
				FROM v WHERE id = v.named_id AND `+hereQueued, args...)
			return err
		})
	})
}

// UnqueueStale implements core.QueueStore.
func (s *Store) UnqueueStale(ctx context.Context, types []string, age time.Duration, limit int) (int, error) {
	var n int64
	err := s.write(ctx, "unqueue stale", func(ctx context.Context, c conn) (err error) {
		filter, args := "", []any{stamp(c.now.Add(-age)), stamp(c.now.Add(core.MarkedAhead))}
		if len(types) > 0 {
			filter, args = ` AND type IN (?)`, append(args, types)
		}
		n, err = c.exec(ctx, `
			WITH stale AS (
				SELECT id FROM executions
				WHERE `+isQueued+` AND (queued_at < ? OR queued_at > ?)`+filter+`
				ORDER BY queued_at LIMIT ?`+c.dialect.skipLocked+`)
			UPDATE executions SET status = 'pending', queued_at = NULL
			WHERE id IN (SELECT id FROM stale)`, append(args, limit)...)
		return err
	})
	return int(n), err
}
