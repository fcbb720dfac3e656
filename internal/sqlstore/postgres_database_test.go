package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestMain removes what the tests have made once for all of them.
func TestMain(m *testing.M) {
	code := m.Run()
	if err := dropDatabases(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// testURL is the server that the tests use.
func testURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TEST_DATABASE_URL")
	if server == "" && testing.Short() {
		t.Skip("needs Postgres")
	}
	require.NotEmpty(t, server, "TEST_DATABASE_URL is not set; use make test, or "+
		"go run ./internal/withservices -only postgres -- go test ./internal/sqlstore")
	return server
}

// databaseURL is the URL of another database of the same server.
func databaseURL(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return err.Error()
	}
	u.Path = "/" + name
	return u.String()
}

func onServer(statement string) error {
	db, err := sql.Open("postgres", os.Getenv("TEST_DATABASE_URL"))
	if err != nil {
		return err
	}
	_, err = db.Exec(statement)
	return errors.Join(err, db.Close())
}

// databases are those that were made for tests. A migrated one is emptied and
// used again: making one, or dropping it, takes longer than most tests.
var databases struct {
	sync.Mutex
	made []string
	free []string // migrated and empty
}

func makeDatabase() (name string, err error) {
	name = "scheduler_test_" + uuid.NewString()
	if err := onServer(`CREATE DATABASE "` + name + `"`); err != nil {
		return "", err
	}
	databases.Lock()
	defer databases.Unlock()
	databases.made = append(databases.made, name)
	return name, nil
}

func dropDatabases() error {
	databases.Lock()
	defer databases.Unlock()
	var errs []error
	for _, name := range databases.made {
		errs = append(errs, onServer(`DROP DATABASE "`+name+`" WITH (FORCE)`))
	}
	return errors.Join(errs...)
}

// NewTestDatabase makes a database with nothing in it, not even the schema, and
// returns its URL.
func NewTestDatabase(t testing.TB) string {
	t.Helper()
	server := testURL(t)
	name, err := makeDatabase()
	require.NoError(t, err)
	return databaseURL(server, name)
}

// EmptyTestDatabase returns the URL of a migrated and empty database that the
// test has for itself until it ends. The schema is not the test's to change.
func EmptyTestDatabase(t testing.TB) string {
	t.Helper()
	server := testURL(t)
	databases.Lock()
	var name string
	if last := len(databases.free) - 1; last >= 0 {
		name, databases.free = databases.free[last], databases.free[:last]
	}
	databases.Unlock()
	if name == "" {
		var err error
		name, err = makeDatabase()
		require.NoError(t, err)
		_, err = MigratePostgres(t.Context(), databaseURL(server, name), MigrateUp)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		require.NoError(t, emptyDatabase(databaseURL(server, name)))
		databases.Lock()
		defer databases.Unlock()
		databases.free = append(databases.free, name)
	})
	return databaseURL(server, name)
}

func emptyDatabase(url string) error {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	var statements string
	err = db.QueryRow(`
		SELECT string_agg(format('DELETE FROM %I;', tablename), ' '
			ORDER BY tablename = 'schedules', tablename = 'tasks') -- they are referred to by the others
		FROM pg_tables
		WHERE schemaname = 'public' AND tablename <> 'goose_db_version' AND tablename !~ '_\d{8}$|_default$'`).Scan(&statements)
	if err == nil {
		_, err = db.Exec(statements)
	}
	return errors.Join(err, db.Close())
}

// OpenTestPostgres opens a store on a database. It is closed when the test ends.
func OpenTestPostgres(t testing.TB, url string, clock core.Clock) *Postgres {
	t.Helper()
	p, err := OpenPostgres(t.Context(), PostgresConfig{URL: url, Clock: clock, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}
