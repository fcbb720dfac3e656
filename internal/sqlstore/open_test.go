package sqlstore_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

func TestOpenMakesAPrivateFileAndItsDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data dir?#%20", "scheduler.db")
	s := openStore(t, path, coretest.NewClock(t))
	require.NoError(t, s.Ping(t.Context()))

	info, err := os.Stat(path)
	require.NoError(t, err, "the file is not where it was asked for")
	if runtime.GOOS != "windows" {
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestOpenRefusesPathsThatAreNoFiles(t *testing.T) {
	for _, path := range []string{"", ":memory:", t.TempDir()} {
		_, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
		require.Error(t, err, "path %q", path)
	}
}

func TestASecondStoreOfTheProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	first := openStore(t, path, coretest.NewClock(t))

	_, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
	require.ErrorContains(t, err, "in use by process")
	_, err = sqlstore.MigrateSQLite(t.Context(), path, sqlstore.MigrateDown)
	require.ErrorContains(t, err, "in use by process")
	_, err = sqlstore.MigrateSQLite(t.Context(), path, sqlstore.MigrateStatus)
	require.NoError(t, err, "status needs the file for itself")
	require.NoError(t, first.Ping(t.Context()))
}

// The names of the variables that turn the test binary into another process
// with a database.
const (
	helperPath = "SQLSTORE_TEST_OPEN"
	helperMode = "SQLSTORE_TEST_MODE"
)

// TestHelperProcess is not a test: other tests start it as another process. It
// opens a database, works on it, says so and waits for its death.
func TestHelperProcess(t *testing.T) {
	path := os.Getenv(helperPath)
	if path == "" {
		t.Skip("started by other tests only")
	}
	s, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path, Clock: coretest.NewClock(t)})
	if err != nil {
		_, _ = os.Stdout.WriteString("refused: " + err.Error() + "\n")
		return
	}
	if os.Getenv(helperMode) == "work" {
		leaveWork(t, s)
	}
	_, _ = os.Stdout.WriteString("open\n")
	time.Sleep(time.Minute)
}

// startHelper starts another process on the database and returns what it says
// first. The process dies with the test at the latest.
func startHelper(t *testing.T, path, mode string) (said string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$", "-test.v=false")
	cmd.Env = append(os.Environ(), helperPath+"="+path, helperMode+"="+mode)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	line := make([]byte, 1024)
	n, err := out.Read(line)
	require.NoError(t, err)
	return string(line[:n]), kill
}

func TestASecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	s, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
	require.NoError(t, err)

	said, _ := startHelper(t, path, "")
	require.Regexp(t, `^refused: .*in use by process \d+ on .*, since .*; stop that process`, said)

	require.NoError(t, s.Close())
	said, _ = startHelper(t, path, "")
	require.Equal(t, "open\n", said)
	_, err = sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
	require.ErrorContains(t, err, "in use by process")
}

// leaveWork leaves a pending, a queued, a running and a finished execution.
func leaveWork(t testing.TB, s core.Store) (pending, queued, running, finished core.Execution) {
	t.Helper()
	put := func() core.Execution {
		task, err := s.CreateTask(t.Context(), coretest.Task(), nil)
		require.NoError(t, err)
		e, _, err := s.CreateExecution(t.Context(), coretest.Execution(task), nil)
		require.NoError(t, err)
		return e
	}
	pending, queued, running, finished = put(), put(), put(), put()
	_, err := s.MarkQueued(t.Context(), []core.QueueMark{{ID: queued.ID}})
	require.NoError(t, err)
	claimed, err := s.Claim(t.Context(), []string{running.ID, finished.ID}, "node-a", time.Hour)
	require.NoError(t, err)
	require.Len(t, claimed, 2)
	finish(t, s, claimed[1])
	return pending, queued, running, finished
}

func finish(t testing.TB, s core.Store, e core.Execution) core.Finished {
	t.Helper()
	done, err := s.Finish(t.Context(), []core.Completion{{
		Lease:  core.Lease{ExecutionID: e.ID, Token: e.Token},
		Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
	}})
	require.NoError(t, err)
	return done[0]
}

func TestWorkOfAKilledProcessIsTakenOverAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	said, kill := startHelper(t, path, "work")
	require.Equal(t, "open\n", said)
	kill() // no Close, no checkpoint: what was answered is in the log only

	s := openStore(t, path, coretest.NewClock(t)) // stands where the other one stood: no lease has run out
	stats, err := s.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[core.Status]int{core.StatusPending: 2, core.StatusRunning: 1}, stats.Waiting)
	ended, err := s.Executions(t.Context(), core.ExecutionFilter{Statuses: []core.Status{core.StatusSucceeded}}, core.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, ended, 1)

	reaped, err := s.Reap(t.Context(), 10, func(now time.Time, e *core.Execution) { e.LoseLease(now) })
	require.NoError(t, err)
	require.Len(t, reaped, 1)
	require.Equal(t, core.StatusRetrying, reaped[0].Status)
	require.Equal(t, 1, reaped[0].Attempt, "the attempt is not spent")
}

func TestReopenKeepsEverythingAndTokensGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	clock := coretest.NewClock(t)
	s, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path, Clock: clock})
	require.NoError(t, err)
	pending, queued, running, finished := leaveWork(t, s)
	before, err := s.Execution(t.Context(), running.ID)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = os.Stat(path + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist, "Close leaves the log behind")

	s = openStore(t, path, clock)
	for id, want := range map[string]core.Status{
		pending.ID: core.StatusPending, queued.ID: core.StatusPending,
		running.ID: core.StatusRunning, finished.ID: core.StatusSucceeded,
	} {
		e, err := s.Execution(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, e.Status)
	}
	require.False(t, finish(t, s, core.Execution{ID: running.ID, Token: before.Token + 1}).Applied)
	claimed, err := s.Claim(t.Context(), []string{pending.ID}, "node-b", time.Minute)
	require.NoError(t, err)
	require.Greater(t, claimed[0].Token, before.Token+1, "a token of the former process came again")
}

func TestOpenRefusesADatabaseOfANewerProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	s, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db := rawDB(t, path)
	_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())

	_, err = sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
	require.ErrorContains(t, err, "schema version 9999")
	_, err = sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path})
	require.ErrorContains(t, err, "schema version 9999", "the lock was not given back")
}

func TestAnOpenThatIsCancelledLeavesNothingLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sqlstore.OpenSQLite(ctx, sqlstore.SQLiteConfig{Path: path})
	require.ErrorIs(t, err, context.Canceled)
	openStore(t, path, coretest.NewClock(t))
}

// rawDB opens a database file behind the store's back.
func rawDB(t testing.TB, path string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
