package sqlstore

import (
	"context"

	"github.com/nexuscore/scheduler/core"
)

// gateRow is what decides whether an execution may start beside others.
type gateRow struct {
	ID             string  `db:"id"`
	Type           string  `db:"type"`
	ExclusiveTask  *string `db:"exclusive_task"`
	ConcurrencyKey *string `db:"concurrency_key"`
	MaxConcurrency int     `db:"max_concurrency"`
}

// gates knows which tasks have an execution that holds a slot, and how many
// slots of each concurrency key and type are taken. There is no row for a slot: an
// execution holds it by its state, so none can leak.
type gates struct {
	tasks map[string]bool
	keys  map[string]int
	types map[string]int
	limit func(taskType string) int
}

// gates reads who holds a slot: the executions that are queued or running, or
// of these the running ones only. There are as many as can run, not as wait.
func (c conn) gates(ctx context.Context, runningOnly bool) (gates, error) {
	holders := holdsSlot
	if runningOnly {
		holders += ` AND ` + isRunning // both, so that the indexes on the wider one serve
	}
	g := gates{tasks: map[string]bool{}, keys: map[string]int{}, types: map[string]int{}, limit: c.limit}
	var held []struct {
		TaskID string `db:"task_id"`
		Type   string `db:"type"`
	}
	if err := c.list(ctx, &held, `SELECT task_id, type FROM executions WHERE `+holders); err != nil {
		return g, err
	}
	for _, h := range held {
		g.tasks[h.TaskID] = true
		g.types[h.Type]++
	}
	var keys []struct {
		Key   string `db:"concurrency_key"`
		Count int    `db:"held"`
	}
	err := c.list(ctx, &keys, `
		SELECT concurrency_key, COUNT(*) AS held FROM executions
		WHERE concurrency_key IS NOT NULL AND `+holders+`
		GROUP BY concurrency_key`)
	for _, k := range keys {
		g.keys[k.Key] = k.Count
	}
	return g, err
}

// open reports whether the execution may start beside those counted.
func (g gates) open(e gateRow) bool {
	if e.ExclusiveTask != nil && g.tasks[*e.ExclusiveTask] {
		return false
	}
	if n := g.limit(e.Type); n > 0 && g.types[e.Type] >= n {
		return false
	}
	return e.ConcurrencyKey == nil || g.keys[*e.ConcurrencyKey] < max(1, e.MaxConcurrency)
}

// take counts the execution in.
func (g gates) take(e gateRow) {
	g.types[e.Type]++
	if e.ExclusiveTask != nil {
		g.tasks[*e.ExclusiveTask] = true
	}
	if e.ConcurrencyKey != nil {
		g.keys[*e.ConcurrencyKey]++
	}
}

// holders lists the oldest executions that hold a slot and meet a condition.
func (c conn) holders(ctx context.Context, condition string, arg any) (ids []string, err error) {
	err = c.list(ctx, &ids, `
		SELECT id FROM executions WHERE `+condition+` AND `+holdsSlot+`
		ORDER BY id LIMIT ?`, arg, core.MaxHolders)
	return ids, err
}

// Occupancy implements core.QueueStore.
func (s *Store) Occupancy(ctx context.Context, key, taskType string) (core.Occupancy, error) {
	o := core.Occupancy{TypeLimit: s.typeLimit()(taskType)}
	err := s.snapshot(ctx, "count slots", func(ctx context.Context, c conn) error {
		g, err := c.gates(ctx, false)
		if err != nil {
			return err
		}
		o.Key, o.Type = g.keys[key], g.types[taskType]
		if o.KeyHolders, err = c.holders(ctx, `concurrency_key = ?`, key); err != nil {
			return err
		}
		o.TypeHolders, err = c.holders(ctx, `type = ?`, taskType)
		return err
	})
	return o, err
}
