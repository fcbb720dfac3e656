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

// slotCount is how many executions hold a slot of a key or a type.
type slotCount struct {
	Name string `db:"name"`
	Held int    `db:"held"`
}

// gatesOf reads what decides whether these executions may start: which of their
// exclusive tasks run, and how many slots of their keys and limited types are
// taken by running ones. Until the transaction ends nobody else can count the
// same keys and types. That an exclusive task does not run twice, an index sees
// to.
func (c conn) gatesOf(ctx context.Context, candidates []candidateRow) (gates, error) {
	g := c.newGates()
	needed := g.needed(candidates)
	if err := c.holdSlots(ctx, needed.keys, needed.types); err != nil {
		return g, err
	}
	return g, c.count(ctx, g, needed, false)
}

// know reads what g does not know yet of what decides whether these executions
// may be queued: who is queued holds a slot as who runs.
func (c conn) know(ctx context.Context, g gates, candidates []candidateRow) error {
	return c.count(ctx, g, g.needed(candidates), true)
}

// count notes in g who holds the slots of what is needed: who runs, and who is
// queued, too, if that counts.
func (c conn) count(ctx context.Context, g gates, needed slots, queued bool) error {
	held, err := c.held(ctx, needed, queued)
	if err != nil {
		return err
	}
	for _, name := range needed.tasks {
		g.tasks[name] = false
	}
	for _, name := range needed.keys {
		g.keys[name] = 0
	}
	for _, name := range needed.types {
		g.types[name] = 0
	}
	for _, h := range held {
		switch h.Kind {
		case "task":
			g.tasks[h.Name] = true
		case "key":
			g.keys[h.Name] = h.Held
		case "type":
			g.types[h.Name] += h.Held // of those that run, and of those queued
		}
	}
	return nil
}

// slotRow is how many executions of a task, a key or a type run.
type slotRow struct {
	Kind string `db:"kind"`
	slotCount
}

// held counts what runs of exclusive tasks, keys and types, in one statement:
// it is on the way of every start. There are no more names than candidates. Each
// condition is said in the form that an index serves: a type is looked for among
// all that run and, apart, among all that is queued.
func (c conn) held(ctx context.Context, needed slots, queued bool) (rows []slotRow, err error) {
	condition := isRunning
	if queued {
		condition = holdsSlot
	}
	type count struct {
		kind, column, condition string
		names                   []string
	}
	counts := []count{
		{"task", `task_id`, condition, needed.tasks},
		{"key", `concurrency_key`, holdsSlot + ` AND ` + condition, needed.keys},
		{"type", `type`, isRunning, needed.types},
	}
	if queued {
		counts = append(counts, count{"type", `type`, isQueued, needed.types})
	}
	var parts []string
	var args []any
	for _, p := range counts {
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

// slots are the tasks, keys and types whose slots stand before a start, each
// once and in order.
type slots struct{ tasks, keys, types []string }

// needed lists what stands between the executions and their start and is not
// known yet.
func (g gates) needed(candidates []candidateRow) slots {
	var s slots
	for _, e := range candidates {
		if e.ExclusiveTask != nil {
			s.tasks = append(s.tasks, *e.ExclusiveTask)
		}
		if e.ConcurrencyKey != nil {
			s.keys = append(s.keys, *e.ConcurrencyKey)
		}
		if g.limit(e.Type) > 0 {
			s.types = append(s.types, e.Type)
		}
	}
	return slots{unknown(s.tasks, g.tasks), unknown(s.keys, g.keys), unknown(s.types, g.types)}
}

func unknown[V any](names []string, known map[string]V) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		_, ok := known[name]
		return ok
	})
}

// open reports whether the execution may start beside those counted.
func (g gates) open(e gateRow) bool {
	if e.ExclusiveTask != nil && g.tasks[*e.ExclusiveTask] {
		return false
	}
	if g.full(e.Type) {
		return false
	}
	return e.ConcurrencyKey == nil || g.keys[*e.ConcurrencyKey] < max(1, e.MaxConcurrency)
}

// full reports whether a type has no free slot.
func (g gates) full(taskType string) bool { return core.TypeFull(g.limit(taskType), g.types[taskType]) }

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
		g := c.newGates()
		if err := c.count(ctx, g, slots{keys: []string{key}, types: []string{taskType}}, true); err != nil {
			return err
		}
		o.Key, o.Type = g.keys[key], g.types[taskType]
		var err error
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
		if report.Oldest, err = executionsOf(rows); err != nil {
			return err
		}
		var holder []executionRow
		if err := c.list(ctx, &holder, `
			SELECT `+executionColumns+` FROM executions
			WHERE task_id = ? AND `+holdsSlot+` ORDER BY id LIMIT 1`, taskID); err != nil || len(holder) == 0 {
			return err
		}
		e, err := holder[0].execution()
		report.Holder = &e
		return err
	})
	return report, err
}
