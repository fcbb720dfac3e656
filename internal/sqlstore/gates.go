package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/nexuscore/scheduler/core"
)

// gateRow is what decides whether an execution may start beside others.
type gateRow struct {
	ID             string  `db:"id"`
	Type           string  `db:"type"`
	ExclusiveTask  *string `db:"exclusive_task"`
	ConcurrencyKey *string `db:"concurrency_key"`
	MaxConcurrency int     `db:"max_concurrency"`
	RateKey        *string `db:"rate_key"` // only where it is asked for
}

func (r gateRow) rateKey() string {
	if r.RateKey == nil {
		return ""
	}
	return *r.RateKey
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

func (c conn) newGates() gates {
	return gates{tasks: map[string]bool{}, keys: map[string]int{}, types: map[string]int{}, limit: c.limit}
}

// gates reads who holds a slot: the executions that are queued or running.
// There are as many as can run, not as wait.
func (c conn) gates(ctx context.Context) (gates, error) {
	g := c.newGates()
	var held []struct {
		TaskID string `db:"task_id"`
		Type   string `db:"type"`
	}
	if err := c.list(ctx, &held, `SELECT task_id, type FROM executions WHERE `+holdsSlot); err != nil {
		return g, err
	}
	for _, h := range held {
		g.tasks[h.TaskID] = true
		g.types[h.Type]++
	}
	var keys []slotCount
	err := c.list(ctx, &keys, `
		SELECT concurrency_key AS name, COUNT(*) AS held FROM executions
		WHERE concurrency_key IS NOT NULL AND `+holdsSlot+`
		GROUP BY concurrency_key`)
	for _, k := range keys {
		g.keys[k.Name] = k.Held
	}
	return g, err
}

// slotCount is how many executions hold a slot of a key or a type.
type slotCount struct {
	Name string `db:"name"`
	Held int    `db:"held"`
}

// isHolding is isRunning in the form that the index on the slots serves.
const isHolding = holdsSlot + ` AND ` + isRunning

// gatesOf reads what decides whether these executions may start: which of their
// exclusive tasks run, and how many slots of their keys and limited types are
// taken by running ones. Until the transaction ends nobody else can count the
// same keys and types. That an exclusive task does not run twice, an index sees
// to.
func (c conn) gatesOf(ctx context.Context, candidates []candidateRow) (gates, error) {
	g := c.newGates()
	tasks, keys, types := g.needed(candidates)
	if err := c.holdSlots(ctx, keys, types); err != nil {
		return g, err
	}
	held, err := c.held(ctx, tasks, keys, types)
	for _, h := range held {
		switch h.Kind {
		case "task":
			g.tasks[h.Name] = true
		case "key":
			g.keys[h.Name] = h.Held
		case "type":
			g.types[h.Name] = h.Held
		}
	}
	return g, err
}

// slotRow is how many executions of a task, a key or a type run.
type slotRow struct {
	Kind string `db:"kind"`
	slotCount
}

// held counts what runs of exclusive tasks, keys and types, in one statement:
// it is on the way of every start. There are no more names than a claim has ids.
func (c conn) held(ctx context.Context, tasks, keys, types []string) (rows []slotRow, err error) {
	var parts []string
	var args []any
	for _, p := range []struct {
		kind, column, condition string
		names                   []string
	}{{"task", `task_id`, isRunning, tasks}, {"key", `concurrency_key`, isHolding, keys}, {"type", `type`, isHolding, types}} {
		if len(p.names) == 0 {
			continue
		}
		parts = append(parts, `
			SELECT '`+p.kind+`' AS kind, `+p.column+` AS name, COUNT(*) AS held FROM executions
			WHERE `+p.column+` IN (?) AND `+p.condition+` GROUP BY `+p.column)
		args = append(args, p.names)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	err = c.list(ctx, &rows, strings.Join(parts, ` UNION ALL `), args...)
	return rows, err
}

// candidateRow is an execution that somebody asks to start.
type candidateRow struct {
	gateRow
	Rank timestamp `db:"rank"`
}

// needed lists what stands between the executions and their start, each once
// and in order.
func (g gates) needed(candidates []candidateRow) (tasks, keys, types []string) {
	for _, e := range candidates {
		if e.ExclusiveTask != nil {
			tasks = append(tasks, *e.ExclusiveTask)
		}
		if e.ConcurrencyKey != nil {
			keys = append(keys, *e.ConcurrencyKey)
		}
		if g.limit(e.Type) > 0 {
			types = append(types, e.Type)
		}
	}
	once := func(names []string) []string {
		slices.Sort(names)
		return slices.Compact(names)
	}
	return once(tasks), once(keys), once(types)
}

// open reports whether the execution may start beside those counted.
func (g gates) open(e gateRow) bool {
	if e.ExclusiveTask != nil && g.tasks[*e.ExclusiveTask] {
		return false
	}
	if core.TypeFull(g.limit(e.Type), g.types[e.Type]) {
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
		g, err := c.gates(ctx)
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

// Live implements core.QueueStore.
func (s *Store) Live(ctx context.Context, taskID string, limit int) (core.LiveReport, error) {
	var report core.LiveReport
	err := s.snapshot(ctx, "look at live executions", func(ctx context.Context, c conn) error {
		active, err := c.active(ctx, []string{taskID})
		if err != nil {
			return err
		}
		report = core.LiveReport{Active: active[taskID]}
		var rows []executionRow
		if err := c.list(ctx, &rows, `
			SELECT `+executionColumns+` FROM executions
			WHERE task_id = ? ORDER BY id LIMIT ?`, taskID, limit); err != nil {
			return err
		}
		report.Oldest = executionsOf(rows)
		var holder []executionRow
		if err := c.list(ctx, &holder, `
			SELECT `+executionColumns+` FROM executions
			WHERE task_id = ? AND `+holdsSlot+` ORDER BY id LIMIT 1`, taskID); err != nil || len(holder) == 0 {
			return err
		}
		e := holder[0].execution()
		report.Holder = &e
		return nil
	})
	return report, err
}
