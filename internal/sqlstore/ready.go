package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
		var more bool
		var err error
		if report.Executions, more, err = c.readyInOrder(ctx, limit, closed); err != nil || more {
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

// firstPage is how many are looked at before it is known whether the gates are
// open: a full type has its slots free a few at a time.
const firstPage = 100

// readyRow is an execution that waits.
type readyRow struct {
	candidateRow
	Policy policyText            `db:"policy"`
	Hours  *document[core.Hours] `db:"hours"`
}

// readyInOrder walks the waiting executions in order and stops when it has enough,
// so that a long queue costs no more than a short one.
func (c conn) readyInOrder(ctx context.Context, limit int, closed func(taskType, rateKey string) bool) (ready []core.ReadyExecution, more bool, err error) {
	gates, policies := c.newGates(), policies{}
	size := min(limit+1, firstPage)
	full := map[string]bool{} // types; those behind the first page are left where they are
	for after := (readyRow{}); ; {
		page, err := c.waiting(ctx, after, slices.Sorted(maps.Keys(full)), size)
		if err != nil {
			return nil, false, err
		}
		if err := c.know(ctx, gates, candidatesOf(page)); err != nil {
			return nil, false, err
		}
		for _, row := range page {
			if gates.full(row.Type) {
				full[row.Type] = true
			}
			if !gates.open(row.gateRow) || closed != nil && closed(row.Type, row.rateKey()) {
				continue
			}
			if len(ready) == limit {
				return ready, true, nil
			}
			policy, err := policies.read(row.Policy)
			if err != nil {
				return nil, false, fmt.Errorf("policy of execution %s: %w", row.ID, err)
			}
			gates.take(row.gateRow)
			ready = append(ready, core.ReadyExecution{
				ID: row.ID, Type: row.Type, Priority: policy.Priority, Rank: row.Rank.Time,
				Hours: valueIn(row.Hours), RateLimit: policy.RateLimit,
			})
		}
		if len(page) < size {
			return ready, false, nil
		}
		if len(ready) == firstPage { // all of it may go
			size = min(limit+1-firstPage, readyPage)
		} else {
			size = readyPage
		}
		after = page[len(page)-1]
	}
}

// waiting reads the page of waiting executions that follows one, without those of
// some types.
func (c conn) waiting(ctx context.Context, after readyRow, full []string, size int) (page []readyRow, err error) {
	next, args := ``, []any{stamp(c.now)}
	if after.ID != "" {
		next, args = ` AND (rank, id) > (?, ?)`, append(args, after.Rank, after.ID)
	}
	if len(full) > 0 {
		next, args = next+` AND NOT type IN (?)`, append(args, full)
	}
	err = c.list(ctx, &page, `
		SELECT id, type, exclusive_task, concurrency_key, max_concurrency, rate_key, rank, policy, hours FROM executions
		WHERE `+isReady+` AND `+isFree+` AND due_at <= ?`+next+`
		ORDER BY rank, id LIMIT ?`, append(args, size)...)
	return page, err
}

// untilNextReady looks ahead only: what is due and held by a gate does not keep
// the dispatcher awake, because the gate's opening will wake it.
func (c conn) untilNextReady(ctx context.Context) (time.Duration, error) {
	var next timestamp
	err := c.get(ctx, &next, `SELECT MIN(due_at) FROM executions WHERE `+isReady+` AND `+isFree+` AND due_at > ?`, stamp(c.now))
	return until(c.now, next), err
}

func candidatesOf(page []readyRow) []candidateRow {
	candidates := make([]candidateRow, len(page))
	for i, row := range page {
		candidates[i] = row.candidateRow
	}
	return candidates
}
