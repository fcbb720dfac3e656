package sqlstore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

// openFull opens a Postgres store with so much in it that reading a whole table
// never pays: 100,000 ends of 500 tasks, and 20,000 of everything else. None of
// it is due. It has a database of its own.
func openFull(t *testing.T) *Postgres {
	t.Helper()
	s := OpenTestPostgres(t, NewTestDatabase(t), coretest.NewClock(t))
	week := partitionOf(time.Now())
	for _, statement := range []string{
		`INSERT INTO tasks (id, name, type, schedule_type, next_run, timing, policy)
		SELECT 'task-' || i, 'name', 'other', 'cron', '2030-01-01', '{}', '{}' FROM generate_series(1, 20000) AS i`,
		`INSERT INTO executions (id, task_id, task_name, type, status, trigger, nominal_time, due_at, attempt, max_attempts,
			attempts, worker, plugin, created_at, policy, data, token, cancel_requested, lease_until, rank,
			concurrency_key, max_concurrency)
		SELECT 'execution-' || i, 'task-' || i, 'name', 'other', CASE i % 50 WHEN 0 THEN 'running' ELSE 'pending' END, 'manual',
			'2030-01-01', '2030-01-01', 1, 1, '[]', '', '', '2026-01-01', '{}', '{}', i, false, '2030-01-01', '2030-01-01',
			'key-' || i, 1 FROM generate_series(1, 20000) AS i`,
		`INSERT INTO task_history (id, task_id, status, end_time, created_at, task_name, type, trigger, nominal_time, due_at,
			attempt, max_attempts, attempts, worker, plugin, policy, data, token, cancel_requested)
		SELECT '` + firstID(week.from) + `-7000-8000-' || to_char(i, 'FM000000000000'), 'task-' || i % 500,
			CASE i % 20 WHEN 0 THEN 'failed' ELSE 'succeeded' END, at, at, 'name', 'type-' || i % 20, 'schedule', at, at,
			1, 1, '[]', 'node', 'p@1', '{}', '{}', i, false
		FROM generate_series(1, 100000) AS i, LATERAL (SELECT timestamptz '2026-01-01' + i * interval '1 second' AS at) AS a`,
		`INSERT INTO task_dependencies (id, task_id, depends_on)
		SELECT i, 'task-' || i, 'task-' || i + 1 FROM generate_series(1, 19999) AS i`,
		`INSERT INTO execution_logs (execution_id, attempt, lines, dropped)
		SELECT id, 1, '[]', 0 FROM task_history`,
		`INSERT INTO outbox (id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
		SELECT i, 'event', '', '', '', '{}', 0, '2030-01-01', '2030-01-01' FROM generate_series(1, 20000) AS i`,
		`INSERT INTO idempotency_keys (key, fingerprint, resource_id, created_at)
		SELECT i, '', '', '2030-01-01' FROM generate_series(1, 20000) AS i`,
		`ANALYZE`,
	} {
		_, err := s.writer.Exec(statement)
		require.NoError(t, err)
	}
	return s
}

// wholeTables are the tables that a plan reads from one end to the other, but
// for partitions with nothing in them.
func wholeTables(t *testing.T, s *Postgres, query string, args ...any) []string {
	t.Helper()
	var plan []string
	tx, err := s.writer.Beginx()
	require.NoError(t, err)
	_, err = tx.Exec(`SET LOCAL enable_seqscan = on`) // else no plan shows that it lacks an index
	require.NoError(t, err)
	require.NoError(t, tx.Select(&plan, `EXPLAIN `+query, args...))
	require.NoError(t, tx.Rollback())
	week := partitionOf(time.Now())
	var whole []string
	for _, line := range plan {
		_, table, found := strings.Cut(line, "Seq Scan on ")
		table = strings.Fields(table + " -")[0]
		partition := strings.HasPrefix(table, "task_history_") || strings.HasPrefix(table, "execution_logs_")
		if found && (!partition || table == week.table("task_history") || table == week.table("execution_logs")) {
			whole = append(whole, strings.Join(plan, "\n"))
		}
	}
	return whole
}

func TestPostgresReadsNoWholeTable(t *testing.T) {
	s := openFull(t)
	for name, step := range engineSteps(t, s.Store) {
		t.Run(name, func(t *testing.T) {
			for _, sent := range record(t, s.Store, step) {
				require.Empty(t, wholeTables(t, s, sent.query, sent.args...), sent.query)
			}
		})
	}
	// That the test can see one:
	require.NotEmpty(t, wholeTables(t, s, `SELECT id FROM task_history WHERE worker = 'x'`))
}

func TestListsOnPostgresWalkAnIndex(t *testing.T) {
	s := openFull(t)
	after := core.Page{Limit: 50, After: core.NewID()}
	from := coretest.Epoch().AddDate(0, -3, 0)
	to := from.Add(time.Hour)
	failed := []core.Status{core.StatusFailed, core.StatusLost}
	for name, c := range map[string]struct {
		filter core.ExecutionFilter
		page   core.Page
	}{
		"all":              {core.ExecutionFilter{}, core.Page{Limit: 50}},
		"next page":        {core.ExecutionFilter{}, after},
		"of a task":        {core.ExecutionFilter{TaskID: "task-7"}, after},
		"failed":           {core.ExecutionFilter{Statuses: failed}, after},
		"of a type":        {core.ExecutionFilter{Type: "type-7"}, after},
		"failed of a task": {core.ExecutionFilter{TaskID: "task-7", Statuses: failed}, after},
		"an hour":          {core.ExecutionFilter{From: &from, To: &to}, after},
	} {
		t.Run(name, func(t *testing.T) {
			query, args := s.dialect.executionsQuery(c.filter, c.page)
			query, args, err := s.dialect.expand(query, args)
			require.NoError(t, err)
			require.Empty(t, wholeTables(t, s, s.read().rebind(query), args...))
		})
	}
}
