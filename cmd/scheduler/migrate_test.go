package main

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/lib/pq" // the driver of the test's own connections
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func TestMigrateWantsOneDirection(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		says string
	}{
		{"none", []string{"migrate"}, "usage: scheduler migrate up|down|status"},
		{"two", []string{"migrate", "up", "down"}, "usage: scheduler migrate up|down|status"},
		{"another", []string{"migrate", "sideways"}, `"sideways" is not one of up, down, status`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShell(t)
			s.vars["PORT"] = "http" // usage comes before the configuration
			require.Equal(t, exitUsage, s.run(t.Context(), tc.args...))
			require.Contains(t, s.err.String(), tc.says)
			require.NotContains(t, s.err.String(), "PORT")
			require.Empty(t, s.out.String())
		})
	}
}

func TestMigrateHelps(t *testing.T) {
	for _, word := range []string{"help", "-h", "--help"} {
		s := newShell(t)
		require.Equal(t, exitOK, s.run(t.Context(), "migrate", word))
		require.Contains(t, s.out.String(), "usage: scheduler migrate up|down|status")
		require.Contains(t, s.out.String(), "--force")
		require.Empty(t, s.err.String())
	}
}

func TestMigrateNamesTheVariable(t *testing.T) {
	for _, direction := range []string{"up", "down", "status"} {
		s := newShell(t)
		s.vars["DATABASE_URL"] = "postgresql://u:hunter2@127.0.0.1:1/x"
		require.Equal(t, exitError, s.run(t.Context(), "migrate", direction))
		require.Contains(t, s.err.String(), "scheduler: DATABASE_URL: ")
		require.Contains(t, s.err.String(), "connection refused")
		require.NotContains(t, s.err.String(), "initialize")
		require.NotContains(t, s.err.String(), "hunter2")
	}
}

// ownDatabase makes a database on the test server and removes it at the end.
func ownDatabase(t *testing.T) (address string, db *sql.DB) {
	server := os.Getenv("TEST_DATABASE_URL")
	if server == "" {
		if testing.Short() {
			t.Skip("needs Postgres")
		}
		t.Fatal("TEST_DATABASE_URL is not set: run `make test`, or with -short")
	}
	admin, err := sql.Open("postgres", server)
	require.NoError(t, err)
	name := "migrate_test_" + strings.ReplaceAll(core.NewID(), "-", "")
	_, err = admin.Exec(`CREATE DATABASE ` + name)
	require.NoError(t, err)
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.Path = "/" + name
	db, err = sql.Open("postgres", u.String())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, db.Close())
		_, err := admin.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`)
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	return u.String(), db
}

func TestMigrateDownLeavesLivingNodesAlone(t *testing.T) {
	s := newShell(t)
	address, db := ownDatabase(t)
	s.vars["DATABASE_URL"] = address
	down := func(code int, more ...string) {
		t.Helper()
		s.out, s.err = buffer{}, buffer{}
		require.Equal(t, code, s.run(t.Context(), append([]string{"migrate", "down"}, more...)...), s.err.String())
	}
	pending := func() int { return strings.Count(s.out.String(), " pending\n") }
	down(exitOK) // of nothing
	require.Equal(t, exitOK, s.run(t.Context(), "migrate", "up"), s.err.String())
	report := func(id, seen string) {
		_, err := db.Exec(`INSERT INTO nodes (id, version, started_at, seen_at, load, plugins) VALUES ($1, '', now(), now() - $2::interval, '{}', '[]')`, id, seen)
		require.NoError(t, err)
	}
	report("gone", "31 seconds")
	down(exitOK)
	require.Equal(t, 1, pending())

	report("node-a", "1 second")
	report("node-b", "-1 second")
	down(exitError)
	require.Contains(t, s.err.String(), "these nodes would break: node-a, node-b; stop them first")
	require.Contains(t, s.err.String(), "--force")
	s.out = buffer{}
	require.Equal(t, exitOK, s.run(t.Context(), "migrate", "status"))
	require.Equal(t, 1, pending(), "nothing was taken back")
	down(exitOK, "--force")
	require.Equal(t, 2, pending())
	require.Equal(t, exitUsage, s.run(t.Context(), "migrate", "up", "--force"))
}

func TestMigrateUpDownAndUp(t *testing.T) {
	s := newShell(t)
	require.NoError(t, os.Mkdir(s.vars["DATA_DIR"], 0o700))
	for _, step := range []struct{ direction, shows string }{
		{"up", " applied 2"}, {"up", " applied 2"}, {"status", " applied 2"}, {"down", " pending\n"}, {"status", " pending\n"}, {"up", " applied 2"},
	} {
		s.out, s.err = buffer{}, buffer{}
		require.Equal(t, exitOK, s.run(t.Context(), "migrate", step.direction), s.err.String())
		require.Contains(t, s.out.String(), "0001_scheduler", step.direction)
		require.Contains(t, s.out.String(), step.shows, step.direction)
	}
}

// TestMigrateOnANewMachine: the first start makes the directory, so does this.
func TestMigrateOnANewMachine(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitOK, s.run(t.Context(), "migrate", "up"), s.err.String())
	require.Contains(t, s.out.String(), " applied 2")
}

func TestMigrateStatusMakesNothing(t *testing.T) {
	s := newShell(t)
	status := func() {
		s.out = buffer{}
		require.Equal(t, exitOK, s.run(t.Context(), "migrate", "status"), s.err.String())
		require.Equal(t, "no database yet: "+filepath.Join(s.vars["DATA_DIR"], "scheduler.db")+"\n", s.out.String())
	}
	status()
	require.NoDirExists(t, s.vars["DATA_DIR"])
	require.NoError(t, os.Mkdir(s.vars["DATA_DIR"], 0o700))
	status()
	made, err := os.ReadDir(s.vars["DATA_DIR"])
	require.NoError(t, err)
	require.Empty(t, made)
}

func TestMigrateSaysWhatFailed(t *testing.T) {
	s := newShell(t)
	s.vars["DATA_DIR"] = s.pluginsFile // a file
	require.Equal(t, exitError, s.run(t.Context(), "migrate", "up"))
	require.Contains(t, s.err.String(), s.pluginsFile)
}
