package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Claim implements core.WorkStore. An execution that is not due yet does not
// start: nothing starts early, not even for a stale message of a queue.
func (s *Store) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	var claimed []core.Execution
	err := s.write(ctx, "claim", func(ctx context.Context, c conn) error {
		open, held, err := c.sortByGate(ctx, slices.Compact(slices.Sorted(slices.Values(ids)))) // a queue may say a thing twice
		if err != nil {
			return err
		}
		if len(held) > 0 { // two statements, which change them in two orders
			if err := c.lockLive(ctx, slices.Concat(open, held)); err != nil {
				return err
			}
		}
		if claimed, err = c.start(ctx, open, owner, ttl); err != nil {
			return err
		}
		return inBatches(held, func(batch []string) error {
			_, err := c.exec(ctx, `UPDATE executions SET status = 'pending', queued_at = NULL WHERE id IN (?) AND `+hereQueued, batch)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// sortByGate divides the executions that wait into those that may start now,
// in order, and those that a gate, or a clock that was set back, holds. It locks
// none of them: what does not wait any more when it is changed stays as it is.
func (c conn) sortByGate(ctx context.Context, ids []string) (open, held []string, err error) {
	waiting, err := listIn[claimRow](ctx, c, `
		SELECT id, type, exclusive_task, concurrency_key, max_concurrency, rank, due_at FROM executions
		WHERE id IN (?) AND `+hereWaiting+` AND `+isFree, ids)
	if err != nil {
		return nil, nil, err
	}
	var candidates []candidateRow
	for _, e := range waiting {
		if e.DueAt.After(c.now) {
			held = append(held, e.ID)
		} else {
			candidates = append(candidates, e.candidateRow)
		}
	}
	if len(candidates) == 0 {
		return nil, held, nil
	}
	slices.SortFunc(candidates, func(a, b candidateRow) int {
		return cmp.Or(a.Rank.Compare(b.Rank.Time), cmp.Compare(a.ID, b.ID))
	})
	g, err := c.gatesOf(ctx, candidates)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range candidates {
		if g.open(e.gateRow) {
			g.take(e.gateRow)
			open = append(open, e.ID)
		} else {
			held = append(held, e.ID)
		}
	}
	return open, held, nil
}

// claimRow is an execution that a queue has named.
type claimRow struct {
	candidateRow
	DueAt timestamp `db:"due_at"`
}

// start begins an attempt of each execution that still waits, as
// core.Execution.Start does, and returns them in the order of ids. It is an UPDATE
// and not a read, a Start and a write back, because it is half of what the engine
// does all day.
func (c conn) start(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	tokens, err := c.dialect.tokens(ctx, c, len(ids))
	if err != nil {
		return nil, err
	}
	started := make(map[string]core.Execution, len(ids))
	err = inBatches(slices.Sorted(slices.Values(ids)), func(batch []string) error { // the order in which others lock them
		const columns = `claimed_id, new_token`
		pairs := make([]any, 0, 2*len(batch))
		for i, id := range batch {
			pairs = append(pairs, id, tokens[i])
		}
		tokens = tokens[len(batch):]
		v, args := c.table(columns, pairs)
		args = append(args, owner, stamp(c.now.Add(ttl)), stamp(c.now), stamp(c.now), stamp(c.now))
		var rows []executionRow
		err := c.list(ctx, &rows, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE executions SET
				status = 'running', token = v.new_token, worker = ?, lease_until = ?,
				attempt = attempt + 1, attempt_start = ?, start_time = COALESCE(start_time, ?)
			FROM v WHERE id = v.claimed_id AND `+hereWaiting+` AND `+isFree+` AND due_at <= ?
			RETURNING `+executionColumns, args...)
		if err != nil {
			return err
		}
		executions, err := executionsOf(rows)
		for _, e := range executions {
			started[e.ID] = e
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	claimed := make([]core.Execution, 0, len(ids))
	for _, id := range ids {
		if e, ok := started[id]; ok {
			claimed = append(claimed, e)
		}
	}
	return claimed, nil
}
