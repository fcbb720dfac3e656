package sqlstore_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/sqlstore"
)

func TestMigrationsGoUpAndDownAndUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	migrate := func(d sqlstore.Direction) []sqlstore.MigrationStatus {
		t.Helper()
		status, err := sqlstore.MigrateSQLite(t.Context(), path, d)
		require.NoError(t, err)
		require.NotEmpty(t, status)
		return status
	}

	for _, m := range migrate(sqlstore.MigrateStatus) {
		require.False(t, m.Applied)
		require.Zero(t, m.AppliedAt)
	}
	up := migrate(sqlstore.MigrateUp)
	for _, m := range up {
		require.True(t, m.Applied, m.Name)
		require.NotZero(t, m.AppliedAt)
	}
	first := schema(t, path)
	require.Subset(t, names(first), []string{
		"tasks", "task_history", "task_dependencies", "task_locks", "executions",
		"execution_logs", "schedules", "idempotency_keys", "fencing",
	})

	for range up {
		migrate(sqlstore.MigrateDown)
	}
	require.Empty(t, schema(t, path), "down leaves something behind")
	migrate(sqlstore.MigrateDown) // nothing is left to take back, and that is no error
	migrate(sqlstore.MigrateUp)
	require.Equal(t, first, schema(t, path))
	migrate(sqlstore.MigrateUp)
	require.Equal(t, first, schema(t, path))
}

func TestMigrateRefusesUnknownDirections(t *testing.T) {
	_, err := sqlstore.MigrateSQLite(t.Context(), filepath.Join(t.TempDir(), "scheduler.db"), "sideways")
	require.ErrorContains(t, err, `"sideways"`)
}

// Reports and other services read these tables by these names.
func TestTheTablesKeepTheirPublishedColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	_, err := sqlstore.MigrateSQLite(t.Context(), path, sqlstore.MigrateUp)
	require.NoError(t, err)
	for table, columns := range map[string][]string{
		"tasks": {
			"id", "name", "type", "schedule_type", "cron_expression", "timezone", "data", "enabled",
			"next_run", "last_run", "created_at", "updated_at",
		},
		"task_history": {
			"id", "task_id", "status", "start_time", "end_time", "duration", "error", "result", "created_at",
		},
		"task_dependencies": {"id", "task_id", "depends_on", "created_at"},
		"task_locks":        {"id", "task_id", "lock_until", "created_at"},
	} {
		var have []string
		require.NoError(t, rawDB(t, path).Select(&have, `SELECT name FROM pragma_table_info(?)`, table))
		require.Subset(t, have, columns, table)
	}
	require.Subset(t, names(schema(t, path)), []string{
		"idx_tasks_next_run", "idx_task_history_task_id_start_time", "idx_task_locks_lock_until",
	})
}

type object struct {
	Type string `db:"type"`
	Name string `db:"name"`
	SQL  string `db:"sql"`
}

// schema lists what the migrations made.
func schema(t *testing.T, path string) []object {
	t.Helper()
	var objects []object
	require.NoError(t, rawDB(t, path).Select(&objects, `
		SELECT type, name, sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND tbl_name <> 'goose_db_version' AND name NOT LIKE 'sqlite_%'
		ORDER BY type, name`))
	return objects
}

func names(objects []object) []string {
	list := make([]string, len(objects))
	for i, o := range objects {
		list[i] = o.Name
	}
	return list
}

// What settles late must hit no other message, also after the table was made
// anew.
func TestTheOutboxGoesOnCountingAfterAMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	const madeAnew = 8 // the version that did it
	migrate := func(d sqlstore.Direction) (version int64) {
		t.Helper()
		status, err := sqlstore.MigrateSQLite(t.Context(), path, d)
		require.NoError(t, err)
		for _, m := range status {
			if m.Applied {
				version = m.Version
			}
		}
		return version
	}
	post := func(kind string) (seq int64) {
		t.Helper()
		require.NoError(t, rawDB(t, path).Get(&seq, `
			INSERT INTO outbox (id, kind, type, task_id, execution_id, data, tries, due_at, created_at)
			VALUES ('m', ?, 'x', 't', 'e', '{}', 0, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z') RETURNING seq`, kind))
		return seq
	}
	migrate(sqlstore.MigrateUp)
	first, last := post("event"), post("notification")
	for migrate(sqlstore.MigrateDown) >= madeAnew {
	}
	var left []int64
	require.NoError(t, rawDB(t, path).Select(&left, `SELECT seq FROM outbox`))
	require.Equal(t, []int64{first}, left, "the older schema has no notifications")
	require.Greater(t, post("event"), last)
	migrate(sqlstore.MigrateUp)
	require.Greater(t, post("event"), last+1)
}

// The older schema has a row for each event.
func TestEventsOfOneStepComeApartOnTheWayDown(t *testing.T) {
	const bundles = `INSERT INTO outbox (id, kind, type, task_id, execution_id, data, tries, due_at, created_at, messages) VALUES
		('a', 'event', 'x', 't', 'e', '{"n":1}', 0, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 1),
		('b', 'events', '', '', '', '[
			{"id":"b","type":"y","taskId":"t2","executionId":"e2","time":"2026-01-02T03:04:05.000006Z","data":{"n":2}},
			{"id":"c","type":"z","taskId":"t3","executionId":"e3","time":"2026-01-02T03:04:05.000006Z","data":{"n":[3]}}]',
			0, '2026-01-02T03:04:05.000006Z', '2026-01-02T03:04:05.000006Z', 2),
		('d', 'alert', 'x', 't', 'e', '{"n":4}', 0, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 1),
		('e', 'event', 'x', 't3', 'e', '{"n":5}', 0, '2026-01-03T00:00:00.000000Z', '2026-01-03T00:00:00.000000Z', 1)`
	const single = `SELECT id || ' ' || kind || ' ' || type || ' ' || task_id || ' ' || execution_id || ' ' || CAST(data AS text) FROM outbox ORDER BY kind, seq`
	want := []string{
		`d alert x t e {"n":4}`,
		`a event x t e {"n":1}`, `b event y t2 e2 {"n":2}`, `c event z t3 e3 {"n":[3]}`, `e event x t3 e {"n":5}`,
	}
	check := func(t *testing.T, db *sqlx.DB, migrate func(sqlstore.Direction) ([]sqlstore.MigrationStatus, error), version int64) {
		t.Helper()
		_, err := migrate(sqlstore.MigrateUp)
		require.NoError(t, err)
		_, err = db.Exec(bundles)
		require.NoError(t, err)
		for applied := int64(math.MaxInt64); applied >= version; {
			status, err := migrate(sqlstore.MigrateDown)
			require.NoError(t, err)
			applied = 0
			for _, m := range status {
				if m.Applied {
					applied = m.Version
				}
			}
		}
		var rows []string
		require.NoError(t, db.Select(&rows, single))
		require.Equal(t, want, rows)
		var later int
		require.NoError(t, db.Get(&later, `SELECT count(*) FROM outbox WHERE due_at >= '2026-01-02'`))
		require.Equal(t, 3, later)
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "scheduler.db")
		check(t, rawDB(t, path), func(d sqlstore.Direction) ([]sqlstore.MigrationStatus, error) {
			return sqlstore.MigrateSQLite(t.Context(), path, d)
		}, 10)
	})
	t.Run("postgres", func(t *testing.T) {
		url := sqlstore.NewTestDatabase(t)
		check(t, rawPostgres(t, url), func(d sqlstore.Direction) ([]sqlstore.MigrationStatus, error) {
			return sqlstore.MigratePostgres(t.Context(), url, d)
		}, 8)
	})
}
