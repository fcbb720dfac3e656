package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/faultproxy"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// rawPostgres opens a database behind the store's back.
func rawPostgres(t testing.TB, url string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("postgres", url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestPostgresMigrationsGoUpAndDownAndUp(t *testing.T) {
	url := sqlstore.NewTestDatabase(t)
	migrate := func(d sqlstore.Direction) []sqlstore.MigrationStatus {
		t.Helper()
		status, err := sqlstore.MigratePostgres(t.Context(), url, d)
		require.NoError(t, err)
		require.NotEmpty(t, status)
		return status
	}
	for _, m := range migrate(sqlstore.MigrateStatus) {
		require.False(t, m.Applied)
	}
	up := migrate(sqlstore.MigrateUp)
	first := postgresSchema(t, url)
	for range up {
		migrate(sqlstore.MigrateDown)
	}
	require.Empty(t, postgresSchema(t, url), "down leaves something behind")
	migrate(sqlstore.MigrateDown) // nothing is left to take back, and that is no error
	migrate(sqlstore.MigrateUp)
	require.Equal(t, first, postgresSchema(t, url))
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
		for _, column := range columns {
			require.Contains(t, first, table+"."+column)
		}
	}
	require.Subset(t, first, []string{
		"index idx_tasks_next_run", "index idx_task_history_task_id_start_time", "index idx_task_locks_lock_until",
	})
}

// postgresSchema lists columns, indexes and sequences.
func postgresSchema(t *testing.T, url string) []string {
	t.Helper()
	var list []string
	require.NoError(t, rawPostgres(t, url).Select(&list, `
		SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name <> 'goose_db_version'
		UNION ALL SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'goose_db_version'
		UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = 'public' AND sequencename <> 'goose_db_version_id_seq'
		ORDER BY 1`))
	return list
}

// A column that both databases have must not be forgotten in one.
func TestBothDatabasesHaveTheSameColumns(t *testing.T) {
	pg := map[string]bool{}
	for _, name := range postgresSchema(t, sqlstore.EmptyTestDatabase(t)) {
		pg[name] = true
	}
	path := emptyDatabase(t)
	var lite []string
	require.NoError(t, rawDB(t, path).Select(&lite, `
		SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT IN ('goose_db_version', 'fencing') AND t.name NOT LIKE 'sqlite_%'`))
	require.Greater(t, len(lite), 100)
	for _, name := range lite {
		require.True(t, pg[name], "Postgres has no %s", name)
	}
}

func TestNodesMayMigrateAtOnce(t *testing.T) {
	url := sqlstore.NewTestDatabase(t)
	var g errgroup.Group
	for range 4 {
		g.Go(func() error {
			p, err := sqlstore.OpenPostgres(t.Context(), sqlstore.PostgresConfig{URL: url})
			if err != nil {
				return err
			}
			return p.Close()
		})
	}
	require.NoError(t, g.Wait())
}

func TestOpenRefusesAPostgresOfANewerProgram(t *testing.T) {
	url := sqlstore.NewTestDatabase(t)
	_, err := sqlstore.MigratePostgres(t.Context(), url, sqlstore.MigrateUp)
	require.NoError(t, err)
	_, err = rawPostgres(t, url).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
	require.NoError(t, err)
	_, err = sqlstore.OpenPostgres(t.Context(), sqlstore.PostgresConfig{URL: url})
	require.ErrorContains(t, err, "schema version 9999")
}

func TestAnUnusableURLIsRefusedWithoutItsPassword(t *testing.T) {
	for _, bad := range []string{"mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "host=h password=hunter2"} {
		_, err := sqlstore.OpenPostgres(t.Context(), sqlstore.PostgresConfig{URL: bad})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestSessionsHaveTheirSettings(t *testing.T) {
	base := sqlstore.EmptyTestDatabase(t)
	for setting, want := range map[string]string{
		"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "30s",
		"application_name": "nexuscore-scheduler", "timezone": "UTC",
	} {
		require.Equal(t, want, settingOf(t, base, setting), setting)
	}
	require.Equal(t, "7s", settingOf(t, base+"&statement_timeout=7000", "statement_timeout"), "the URL wins")
}

// settingOf asks another session what a store's has.
func settingOf(t *testing.T, url, setting string) (value string) {
	t.Helper()
	p := sqlstore.OpenTestPostgres(t, url, nil)
	require.NoError(t, sqlstore.QueryOne(t, p, &value, `SELECT current_setting('`+setting+`')`))
	return value
}

// The database's clock decides and not the node's.
func TestTheClockIsTheDatabases(t *testing.T) {
	p := openEmptyPostgres(t)
	var before, after time.Time
	require.NoError(t, sqlstore.QueryOne(t, p, &before, `SELECT clock_timestamp()`))
	report, err := p.PlanDue(t.Context(), 1, planOne)
	require.NoError(t, err)
	require.NoError(t, sqlstore.QueryOne(t, p, &after, `SELECT clock_timestamp()`))
	require.False(t, report.Observed.Before(before.Truncate(time.Microsecond)))
	require.False(t, report.Observed.After(after))
	require.Equal(t, time.UTC, report.Observed.Location())
}

func TestADeadlockIsRepeated(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	p, db := sqlstore.OpenTestPostgres(t, url, nil), rawPostgres(t, url)
	a, err := p.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)
	b, err := p.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)

	other, err := db.BeginTxx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = other.Rollback() }()
	_, err = other.Exec(`SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE`, b.ID)
	require.NoError(t, err)
	calls := 0
	var circle errgroup.Group
	var locked sync.Once
	_, err = p.UpdateTask(t.Context(), a.ID, core.AnyVersion, func(_ time.Time, task core.Task) (core.Task, error) {
		calls++
		// While we hold a, the other one waits for it, and we then for b.
		locked.Do(func() {
			circle.Go(func() error {
				_, err := other.Exec(`SET deadlock_timeout = '1h'; SELECT 1 FROM tasks WHERE id = '` + a.ID + `' FOR UPDATE`)
				return errors.Join(err, other.Rollback())
			})
			require.Eventually(t, func() bool {
				var waiting int
				return db.Get(&waiting, `SELECT COUNT(*) FROM pg_locks WHERE NOT granted`) == nil && waiting > 0
			}, 10*time.Second, time.Millisecond)
		})
		task.DependsOn = []string{b.ID}
		return task, nil
	})
	require.NoError(t, err)
	require.NoError(t, circle.Wait())
	require.Equal(t, 2, calls, "the deadlock did not happen, or was not repeated once")
}

// proxy stands between the store and the database and can cut connections.
type proxy struct {
	url      string
	mu       sync.Mutex
	cut      func(sent []byte) bool // looks at what the store sends; true cuts the connection then
	answered bool                   // the cut comes after the database has got it
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	server := u.Host
	u.Host = l.Addr().String()
	p := &proxy{url: u.String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn, server)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn, address string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var mute sync.Mutex // held while the answer to what is cut must not come through
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			mute.Lock()
			_, _ = client.Write(buffer[:n])
			mute.Unlock()
			if err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		cut := p.cut != nil && p.cut(buffer[:n])
		if cut {
			p.cut = nil
		}
		answered := p.answered
		p.mu.Unlock()
		if cut {
			mute.Lock()
			if answered {
				_, _ = server.Write(buffer[:n])
				waitForCommit(server)
			}
			_ = client.Close()
			mute.Unlock()
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// waitForCommit lets the database finish: a half-closed connection is read to
// its end before it goes.
func waitForCommit(server net.Conn) {
	if c, ok := server.(*net.TCPConn); ok {
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

// arm cuts the next connection that sends a text.
func (p *proxy) arm(text string, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = answered
	p.cut = func(sent []byte) bool { return strings.Contains(string(sent), text) }
}

func TestAConnectionLostBeforeTheCommitIsRepeated(t *testing.T) {
	direct := sqlstore.EmptyTestDatabase(t)
	between := startProxy(t, direct)
	p := sqlstore.OpenTestPostgres(t, between.url, nil)
	for _, text := range []string{"BEGIN", "clock_timestamp", "INSERT INTO tasks"} {
		between.arm(text, false)
		task, err := p.CreateTask(t.Context(), coretest.Task(), nil)
		require.NoError(t, err, "cut at %s", text)
		_, err = p.Task(t.Context(), task.ID)
		require.NoError(t, err)
	}
}

// The commit may have happened or not. Repeating it blindly would be wrong; the
// key says what became of it.
func TestACommitWithoutAnAnswerIsAnErrorAndItsKeyTells(t *testing.T) {
	direct := sqlstore.EmptyTestDatabase(t)
	between := startProxy(t, direct)
	p := sqlstore.OpenTestPostgres(t, between.url, nil)
	for _, happened := range []bool{true, false} {
		key := &core.Idempotency{Key: fmt.Sprint("k", happened), Fingerprint: "f"}
		between.arm("COMMIT", happened)
		_, err := p.CreateTask(t.Context(), coretest.Task(), key)
		require.Error(t, err)
		require.Equal(t, core.CodeInternal, core.CodeOf(err), "nothing that a caller would take for an answer: %v", err)

		require.Eventually(t, func() bool {
			id, err := p.MadeBefore(t.Context(), *key)
			return err == nil && (id != "") == happened
		}, 10*time.Second, 10*time.Millisecond)
		_, err = p.CreateTask(t.Context(), coretest.Task(), key)
		if happened {
			require.ErrorIs(t, err, core.ErrReplayed)
		} else {
			require.NoError(t, err)
		}
	}
	tasks, err := p.Tasks(t.Context(), core.TaskFilter{}, core.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, tasks, 2)
}

func TestAServerThatEndsSessionsIsComeBackTo(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	p, db := sqlstore.OpenTestPostgres(t, url, nil), rawPostgres(t, url)
	for range 20 {
		_, err := db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
		_, err = p.Tasks(t.Context(), core.TaskFilter{}, core.Page{Limit: 1}) // finds one of the dead sessions
		require.NoError(t, err)
		_, err = p.CreateTask(t.Context(), coretest.Task(), nil)
		require.NoError(t, err)
		_, err = p.Stats(t.Context())
		require.NoError(t, err)
	}
}

func TestAServerThatDoesNotServeIsUnavailable(t *testing.T) {
	direct := sqlstore.EmptyTestDatabase(t)
	between, err := faultproxy.Start(hostOf(t, direct))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, between.Close()) })
	p := sqlstore.OpenTestPostgres(t, strings.Replace(direct, hostOf(t, direct), between.Addr(), 1), nil)
	between.Cut()
	_, err = p.Tasks(t.Context(), core.TaskFilter{}, core.Page{Limit: 1})
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err), "%v", err)
	_, err = p.CreateTask(t.Context(), coretest.Task(), nil)
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err), "%v", err)
	between.Heal()

	db := rawPostgres(t, direct)
	for _, code := range []string{"disk_full", "read_only_sql_transaction"} {
		_, err = db.Exec(`
			CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '` + code + `'; END $$;
			CREATE TRIGGER refuse BEFORE INSERT ON tasks FOR EACH STATEMENT EXECUTE FUNCTION refuse()`)
		require.NoError(t, err)
		_, err = p.CreateTask(t.Context(), coretest.Task(), nil)
		require.Equal(t, core.CodeUnavailable, core.CodeOf(err), "%s: %v", code, err)
		_, err = db.Exec(`DROP FUNCTION refuse() CASCADE`)
		require.NoError(t, err)
	}
}

// hostOf is the host and port of a database's URL.
func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}

func TestACallerWhoHasGivenUpIsNotRepeatedFor(t *testing.T) {
	p := openEmptyPostgres(t)
	ctx, cancel := context.WithCancel(t.Context())
	task, err := p.CreateTask(ctx, coretest.Task(), nil)
	require.NoError(t, err)
	calls := 0
	_, err = p.UpdateTask(ctx, task.ID, core.AnyVersion, func(_ time.Time, task core.Task) (core.Task, error) {
		calls++
		cancel()
		return task, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, calls)
}

// A look that Judge takes while a dependency ends could miss the end, and the end
// could miss the execution that was put off: nobody would look again. So Judge
// waits for the ends that are on their way.
func TestJudgeWaitsForEndsOnTheirWay(t *testing.T) {
	url := sqlstore.EmptyTestDatabase(t)
	a, b := sqlstore.OpenTestPostgres(t, url, nil), sqlstore.OpenTestPostgres(t, url, nil)
	first, err := a.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)
	then, err := a.CreateTask(t.Context(), coretest.Task(func(s *core.TaskSpec) { s.DependsOn = []string{first.ID} }), nil)
	require.NoError(t, err)
	waiting := coretest.Execution(then, func(e *core.Execution) { e.Awaits = &core.Awaited{Tasks: then.DependsOn} })
	_, _, err = a.CreateExecution(t.Context(), waiting, nil)
	require.NoError(t, err)
	running := coretest.Execution(first)
	_, _, err = a.CreateExecution(t.Context(), running, nil)
	require.NoError(t, err)
	claimed, err := a.Claim(t.Context(), []string{running.ID}, "node-a", time.Minute)
	require.NoError(t, err)

	var judge errgroup.Group
	var judged core.JudgeReport
	db := rawPostgres(t, url)
	_, err = a.Finish(t.Context(), []core.Completion{{
		Lease: core.Lease{ExecutionID: running.ID, Token: claimed[0].Token},
		Settle: func(now time.Time, e *core.Execution) {
			e.Succeed(core.Outcome{}, now)
			ended := make(chan struct{})
			judge.Go(func() (err error) {
				defer close(ended)
				judged, err = b.Judge(t.Context(), 10, func(_ time.Time, _ core.Execution, states []core.DependencyState) core.Verdict {
					if states[0].Succeeded.IsZero() {
						return core.Verdict{Ruling: core.RulingWait}
					}
					return core.Verdict{Ruling: core.RulingOpen, At: states[0].Succeeded}
				})
				return err
			})
			require.Eventually(t, func() bool {
				select {
				case <-ended: // it did not wait
					return true
				default:
				}
				var waits int
				return db.Get(&waits, `SELECT COUNT(*) FROM pg_locks WHERE NOT granted`) == nil && waits > 0
			}, 10*time.Second, time.Millisecond)
		},
	}})
	require.NoError(t, err)
	require.NoError(t, judge.Wait())
	require.Len(t, judged.Changed, 1, "Judge did not see the end")
}
