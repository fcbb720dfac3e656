package sqlstore

import (
	"context"
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
	if err := dropTemplate(); err != nil {
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

// templateName is the database with the schema and nothing else, once it is
// made: a copy of it takes a moment, and migrating takes longer than most tests.
var templateName string

var template = sync.OnceValues(func() (string, error) {
	name := "scheduler_template_" + uuid.NewString()
	if err := onServer(`CREATE DATABASE "` + name + `"`); err != nil {
		return "", err
	}
	templateName = name
	p, err := OpenPostgres(context.Background(), PostgresConfig{URL: databaseURL(os.Getenv("TEST_DATABASE_URL"), name)})
	if err != nil {
		return "", err
	}
	return name, p.Close()
})

func dropTemplate() error {
	if templateName == "" {
		return nil
	}
	return onServer(`DROP DATABASE "` + templateName + `" WITH (FORCE)`)
}

// NewTestDatabase makes a database that goes with the test and returns its URL:
// a migrated one, or one with nothing in it.
func NewTestDatabase(t testing.TB, migrated bool) string {
	t.Helper()
	server := testURL(t)
	name, from := "scheduler_test_"+uuid.NewString(), "template1"
	if migrated {
		var err error
		from, err = template()
		require.NoError(t, err)
	}
	require.NoError(t, onServer(`CREATE DATABASE "`+name+`" TEMPLATE "`+from+`"`))
	t.Cleanup(func() { require.NoError(t, onServer(`DROP DATABASE "`+name+`" WITH (FORCE)`)) })
	return databaseURL(server, name)
}

// OpenTestPostgres opens a store on a database. It is closed when the test ends.
func OpenTestPostgres(t testing.TB, url string, clock core.Clock) *Postgres {
	t.Helper()
	p, err := OpenPostgres(t.Context(), PostgresConfig{URL: url, Clock: clock, MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}
