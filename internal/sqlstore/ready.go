package sqlstore

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Ready implements core.WorkStore. An execution that is queued holds its gates
// as a running one does: what would wait behind it in the queue waits here,
// where it can be seen and cancelled.
func (s *Store) Ready(ctx context.Context, limit int, closed func(taskType, rateKey string) bool) (core.ReadyReport, error) {
	var report core.ReadyReport
	err := s.snapshot(ctx, "list ready executions", func(ctx context.Context, c conn) error {
		report = core.ReadyReport{Observed: c.now}
		if err := c.walkInOrder(ctx); err != nil {
			return err
		}
		ids, more, err := c.readyIDs(ctx, limit, closed)
		if err != nil {
			return err
		}
		if report.Executions, err = c.liveInOrder(ctx, ids); err != nil || more {
			return err
		}
		report.Wait, err = c.untilNextReady(ctx)
		return err
	})
	if err != nil {
		return core.ReadyReport{}, err
	}
	return report, nil
}

// readyPage is how many waiting executions are looked at at a time behind closed
// gates.
const readyPage = 1000

// readyIDs walks the waiting executions in order and stops when it has enough,
// so that a long queue costs no more than a short one.
func (c conn) readyIDs(ctx context.Context, limit int, closed func(taskType, rateKey string) bool) (ids []string, more bool, err error) {
	gates := c.newGates()
	size := min(limit+1, readyPage) // all it takes when all gates are open
	for after := (candidateRow{}); ; size = readyPage {
		page, err := c.waiting(ctx, after, size)
		if err != nil {
			return nil, false, err
		}
		if err := c.know(ctx, gates, page); err != nil {
			return nil, false, err
		}
		for _, candidate := range page {
			if !gates.open(candidate.gateRow) || closed != nil && closed(candidate.Type, candidate.rateKey()) {
				continue
			}
			if len(ids) == limit {
				return ids, true, nil
			}
			gates.take(candidate.gateRow)
			ids = append(ids, candidate.ID)
		}
		if len(page) < size {
			return ids, false, nil
		}
		after = page[len(page)-1]
	}
}

// waiting reads the page of waiting executions that follows one.
func (c conn) waiting(ctx context.Context, after candidateRow, size int) (page []candidateRow, err error) {
	next, args := ``, []any{stamp(c.now)}
	if after.ID != "" {
		next, args = ` AND (rank, id) > (?, ?)`, append(args, after.Rank, after.ID)
	}
	err = c.list(ctx, &page, `
		SELECT id, type, exclusive_task, concurrency_key, max_concurrency, rate_key, rank FROM executions
		WHERE `+isReady+` AND `+isFree+` AND due_at <= ?`+next+`
		ORDER BY rank, id LIMIT ?`, append(args, size)...)
	return page, err
}

// untilNextReady looks ahead only: what is due and held by a gate does not keep
// the dispatcher awake, because the gate's opening will wake it.
func (c conn) untilNextReady(ctx context.Context) (time.Duration, error) {
	var next timestamp
	err := c.get(ctx, &next, `SELECT MIN(due_at) FROM executions WHERE `+isReady+` AND `+isFree+` AND due_at > ? AND `+isAhead, stamp(c.now))
	return until(c.now, next), err
}

// liveInOrder reads live executions by id and keeps the order of ids.
func (c conn) liveInOrder(ctx context.Context, ids []string) ([]core.Execution, error) {
	rows, err := listIn[executionRow](ctx, c, `
		SELECT `+executionColumns+` FROM executions WHERE id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]core.Execution, len(rows))
	for _, r := range rows {
		byID[r.ID] = r.execution()
	}
	ordered := make([]core.Execution, 0, len(ids))
	for _, id := range ids {
		if e, ok := byID[id]; ok {
			ordered = append(ordered, e)
		}
	}
	return ordered, nil
}
