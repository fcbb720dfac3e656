package sqlstore

import (
	"context"
	"fmt"

	"github.com/nexuscore/scheduler/core"
)

// PruneOlder implements core.Pruner. An execution's age counts from its end.
func (s *Store) PruneOlder(ctx context.Context, p core.Pruning, limit int) (int, error) {
	pruned := 0
	err := s.write(ctx, "prune", func(ctx context.Context, c conn) (err error) {
		switch p.Target {
		case core.PruneHistory:
			pruned, err = c.pruneEnded(ctx, p, limit)
		case core.PruneIdempotencyKeys:
			pruned, err = c.pruneKeys(ctx, c.now.Add(-p.OlderThan), limit)
		case core.PruneState:
			pruned, err = c.pruneOldState(ctx, p, limit)
		default:
			err = fmt.Errorf("nothing is called %q", p.Target)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return pruned, nil
}

// pruneEnded removes the oldest history of a type or with a status. In the order
// of ids those two have an index, so that what is kept between the oldest costs
// nothing.
func (c conn) pruneEnded(ctx context.Context, p core.Pruning, limit int) (int, error) {
	before := stamp(c.now.Add(-p.OlderThan))
	if p.Type == "" && p.Status == "" {
		return c.pruneHistory(ctx, `task_history`, c.now.Add(-p.OlderThan), limit)
	}
	where, args := `created_at < ? AND end_time < ?`, []any{before, before}
	if p.Type != "" {
		where, args = where+` AND type = ?`, append(args, p.Type)
	}
	if p.Status != "" {
		where, args = where+` AND status = ?`, append(args, p.Status)
	}
	var ids []string
	err := c.list(ctx, &ids, `
		SELECT id FROM task_history
		WHERE `+where+`
		ORDER BY id LIMIT ?`+c.dialect.skipLocked, append(args, limit)...)
	if err != nil {
		return 0, err
	}
	return len(ids), c.removeHistory(ctx, ids)
}

// pruneOldState removes what an owner has not written for long.
func (c conn) pruneOldState(ctx context.Context, p core.Pruning, limit int) (int, error) {
	n, err := c.exec(ctx, `
		WITH old AS (
			SELECT owner, key FROM plugin_state
			WHERE owner = ? AND key >= ? AND key < ? AND updated_at < ?
			ORDER BY key LIMIT ?`+c.dialect.skipLocked+`)
		DELETE FROM plugin_state WHERE (owner, key) IN (SELECT owner, key FROM old)`,
		p.Type, p.Prefix, p.Prefix+lastRune, stamp(c.now.Add(-p.OlderThan)), limit)
	return int(n), err
}
