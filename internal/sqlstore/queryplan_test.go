package sqlstore

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

func openPlain(t testing.TB) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), SQLiteConfig{
		Path: filepath.Join(t.TempDir(), "scheduler.db"), Clock: coretest.NewClock(t),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// queryPlan is what SQLite is going to do, one step a line.
func queryPlan(t testing.TB, s *Store, query string, args ...any) string {
	t.Helper()
	query, args, err := expand(query, args)
	require.NoError(t, err)
	var steps []struct {
		ID, Parent, NotUsed int
		Detail              string
	}
	require.NoError(t, s.writer.Select(&steps, `EXPLAIN QUERY PLAN `+query, args...))
	var b strings.Builder
	for _, step := range steps {
		fmt.Fprintln(&b, step.Detail)
	}
	return b.String()
}

// A list that reads all of the history, or sorts it, is fast on the day it is
// written and slow a year later.
func TestListsOfExecutionsWalkAnIndex(t *testing.T) {
	s := openPlain(t)
	after := core.Page{Limit: 50, After: core.NewID()}
	from := coretest.Epoch()
	for name, c := range map[string]struct {
		filter core.ExecutionFilter
		page   core.Page
		index  string // of task_history
	}{
		"all":               {core.ExecutionFilter{}, core.Page{Limit: 50}, "sqlite_autoindex_task_history_1"},
		"next page":         {core.ExecutionFilter{}, after, "sqlite_autoindex_task_history_1 (id<?)"},
		"of a task":         {core.ExecutionFilter{TaskID: "t"}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"failed":            {core.ExecutionFilter{Statuses: []core.Status{core.StatusFailed}}, after, "task_history_status_idx (status=? AND id<?)"},
		"failed and lost":   {core.ExecutionFilter{Statuses: []core.Status{core.StatusFailed, core.StatusLost}}, after, "task_history_status_idx (status=? AND id<?)"},
		"of a type":         {core.ExecutionFilter{Type: "x"}, after, "task_history_type_idx (type=? AND id<?)"},
		"failed of a task":  {core.ExecutionFilter{TaskID: "t", Statuses: []core.Status{core.StatusFailed}}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"of a task's type":  {core.ExecutionFilter{TaskID: "t", Type: "x"}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"of a task's ends":  {core.ExecutionFilter{TaskID: "t", Statuses: []core.Status{core.StatusFailed, core.StatusLost}}, after, "task_history_task_idx (task_id=? AND id<?)"},
		"of a task, lately": {core.ExecutionFilter{TaskID: "t", From: &from}, after, "task_history_task_idx (task_id=? AND id<?)"},
	} {
		t.Run(name, func(t *testing.T) {
			query, args := executionsQuery(c.filter, c.page)
			plan := queryPlan(t, s, query, args...)
			require.Contains(t, plan, "task_history USING INDEX "+c.index, plan)
			require.NotContains(t, plan, "SCAN task_history\n", plan)
			// The joined arms are sorted: at most one page each. An arm is not.
			require.LessOrEqual(t, strings.Count(plan, "USE TEMP B-TREE FOR ORDER BY"), 1, plan)
		})
	}
}

func TestTheEngineWalksIndexes(t *testing.T) {
	s := openPlain(t)
	at := stamp(time.Now())
	ids := []string{"a", "b"}
	for name, c := range map[string]struct {
		query string
		args  []any
		want  string
	}{
		"due tasks": {
			`SELECT id FROM tasks WHERE enabled = 1 AND next_run IS NOT NULL AND next_run <= ? ORDER BY next_run LIMIT ?`,
			[]any{at, 10}, "USING INDEX idx_tasks_next_run (next_run<?)",
		},
		"next task": {
			`SELECT MIN(next_run) FROM tasks WHERE enabled = 1 AND next_run IS NOT NULL`,
			nil, "USING COVERING INDEX idx_tasks_next_run",
		},
		"ready": {
			`SELECT id, exclusive_task, concurrency_key, max_concurrency FROM executions WHERE ` + isReady + ` AND due_at <= ? ORDER BY priority DESC, due_at, id`,
			[]any{at}, "SCAN executions USING INDEX executions_ready_idx\n",
		},
		"next ready": {
			`SELECT MIN(due_at) FROM executions WHERE ` + isReady + ` AND due_at > ?`,
			[]any{at}, "USING COVERING INDEX executions_due_idx (due_at>?)",
		},
		"slots of tasks": {
			`SELECT task_id FROM executions WHERE ` + holdsSlot + ` AND ` + isRunning,
			nil, "USING COVERING INDEX executions_slots_idx",
		},
		"slots of keys": {
			`SELECT concurrency_key, COUNT(*) AS held FROM executions WHERE concurrency_key IS NOT NULL AND ` + holdsSlot + ` GROUP BY concurrency_key`,
			nil, "USING COVERING INDEX executions_slots_idx",
		},
		"active": {
			`SELECT task_id, SUM(CASE WHEN status = 'running' THEN 1 ELSE 0 END) FROM executions WHERE task_id IN (?) GROUP BY task_id`,
			[]any{ids}, "USING COVERING INDEX executions_task_idx (task_id=?)",
		},
		"expired leases": {
			`SELECT id FROM executions WHERE ` + isRunning + ` AND lease_until < ? ORDER BY lease_until LIMIT ?`,
			[]any{at, 10}, "USING INDEX executions_lease_idx (lease_until<?)",
		},
		"claim": {
			`WITH v (claimed_id, new_token) AS (VALUES (?,?),(?,?)) UPDATE executions SET token = v.new_token FROM v WHERE id = v.claimed_id RETURNING id`,
			[]any{"a", 1, "b", 2}, "SEARCH executions USING INDEX sqlite_autoindex_executions_1 (id=?)",
		},
		"heartbeat": {
			`WITH v (held_id, held_token) AS (VALUES (?,?),(?,?)) UPDATE executions SET lease_until = ? FROM v WHERE id = v.held_id AND token = v.held_token AND ` + isRunning + ` RETURNING id`,
			[]any{"a", 1, "b", 2, at}, "SEARCH executions USING INDEX sqlite_autoindex_executions_1 (id=?)",
		},
		"retries": {
			`SELECT id FROM executions WHERE retry_of = ? AND ` + hasRetryOf,
			[]any{"a"}, "USING INDEX executions_retry_of_key (retry_of=?)",
		},
		"retimed tasks": {
			`SELECT id FROM tasks WHERE schedule_id = ? AND id > ? ORDER BY id LIMIT ?`,
			[]any{"a", "b", 10}, "USING COVERING INDEX tasks_schedule_idx (schedule_id=? AND id>?)",
		},
		"old history": {
			`SELECT id FROM task_history WHERE created_at < ? AND end_time < ? ORDER BY created_at LIMIT ?`,
			[]any{at, at, 10}, "USING INDEX task_history_created_idx (created_at<?)",
		},
		"old keys": {
			`SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?`,
			[]any{at, 10}, "USING COVERING INDEX idempotency_keys_created_idx (created_at<?)",
		},
		"logs": {
			`SELECT attempt, lines, dropped FROM execution_logs WHERE execution_id = ? ORDER BY id`,
			[]any{"a"}, "USING INDEX execution_logs_execution_idx (execution_id=?)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := queryPlan(t, s, c.query, c.args...)
			require.Contains(t, plan, c.want, plan)
			require.NotContains(t, plan, "TEMP B-TREE", plan)
		})
	}
}
