package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/nexuscore/scheduler/core"
)

// SQLiteConfig says where the embedded database is.
type SQLiteConfig struct {
	Path           string       // the database file; it and its directory are made when missing
	Clock          core.Clock   // decides what is due; nil is the machine's clock
	Logger         hclog.Logger // nil discards
	AllowNetworkFS bool         // do not refuse a network or FUSE file system
}

// OpenSQLite opens the database file, brings its schema up to date and takes
// over what a process that died left running: the leases of its executions
// expire at once and what it had queued is pending again.
//
// One process has the file at a time. It holds an operating system lock on
// <path>.lock for as long as the store is open, and OpenSQLite fails with an
// error that names the holder while another process has it. Network file
// systems, whose locks do not hold, are refused, and so is FUSE, which may hide
// one; AllowNetworkFS is for those who know that theirs is local.
func OpenSQLite(ctx context.Context, cfg SQLiteConfig) (*Store, error) {
	if cfg.Clock == nil {
		cfg.Clock = core.SystemClock{}
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s, err := openSQLite(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Path, err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", cfg.Path, err), s.Close())
	}
	return s, nil
}

func openSQLite(ctx context.Context, cfg SQLiteConfig) (*Store, error) {
	if err := registerFunctions(); err != nil {
		return nil, err
	}
	path, err := databaseFile(cfg.Path, cfg.AllowNetworkFS)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(path+".lock", cfg.Clock.Now())
	if err != nil {
		return nil, err
	}
	s := &Store{dialect: sqliteDialect(cfg.Clock), logger: cfg.Logger, release: lock.Close}
	if s.writer, err = sqlx.ConnectContext(ctx, "sqlite", writerDSN(path)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	// WAL allows one writer beside any number of readers. One connection makes
	// writers wait in Go, in order, and not in SQLite's busy loop, out of order.
	s.writer.SetMaxOpenConns(1)
	if s.reader, err = sqlx.ConnectContext(ctx, "sqlite", readerDSN(path)); err != nil {
		return nil, errors.Join(err, s.writer.Close(), lock.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return s, nil
}

// prepare migrates and takes over; both need the lock and the pools.
func (s *Store) prepare(ctx context.Context) error {
	if _, err := migrate(ctx, sqliteMigrations, s.writer.DB, MigrateUp); err != nil {
		return err
	}
	return s.takeOver(ctx)
}

// takeOver is recovery after a kill. The lock proves that no other process
// works on the executions, so there is no lease to wait for, and the queue in
// the process died with it. (A broker may still have a message: one too many,
// which no claim will follow.)
func (s *Store) takeOver(ctx context.Context) error {
	return s.write(ctx, "take over", func(ctx context.Context, c conn) error {
		expired := stamp(c.now.Add(-time.Microsecond))
		running, err := c.exec(ctx, `
			UPDATE executions SET lease_until = ?
			WHERE `+isRunning+` AND lease_until > ?`, expired, expired)
		if err != nil {
			return err
		}
		queued, err := c.exec(ctx, `UPDATE executions SET status = 'pending', queued_at = NULL WHERE `+isQueued)
		if err != nil {
			return err
		}
		if running+queued > 0 {
			s.logger.Info("took over what the last process left", "running", running, "queued", queued)
		}
		return nil
	})
}

// databaseFile makes the file and returns its absolute path. The file holds
// what users schedule, so only the owner may read it; SQLite gives its side
// files the same mode.
func databaseFile(path string, allowNetworkFS bool) (string, error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return "", errors.New("path names no file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if !allowNetworkFS {
		if err := refuseNetworkFS(filepath.Dir(path)); err != nil {
			return "", err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

// writerDSN opens every transaction with BEGIN IMMEDIATE: a deferred one that
// reads and then writes is refused with BUSY, and no timeout cures that.
//
// synchronous(FULL) syncs the log at each commit. NORMAL is faster and loses
// the last commits at a power failure, but the API acknowledges after commit,
// and what was acknowledged must be there.
func writerDSN(path string) string {
	return dsn(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
			"journal_size_limit(67108864)", // one huge transaction does not leave a huge log for ever
		},
	})
}

// readerDSN opens connections that cannot write.
func readerDSN(path string) string {
	return dsn(path, url.Values{
		"_pragma": {"busy_timeout(5000)", "temp_store(MEMORY)", "query_only(1)"},
	})
}

func dsn(path string, params url.Values) string {
	params.Set("_dqs", "false") // "x" is a name and never a text by mistake
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + params.Encode()
}

func sqliteDialect(clock core.Clock) dialect {
	return dialect{
		bind: sqlx.QUESTION,
		// One process has the database, so its clock is the only one there is.
		now: func(context.Context, sqlx.QueryerContext) (time.Time, error) {
			return core.Instant(clock.Now()), nil
		},
		// BEGIN IMMEDIATE locks the whole database: there is nothing to lock.
		snapshot: sql.TxOptions{ReadOnly: true},
		yes:      "1", no: "0",
		// Without statistics SQLite takes the order of ids for the better way.
		byCreation: ` INDEXED BY task_history_created_idx`,
		nameHas:    `instr(fold(name), ?) > 0`,
		bytes:      func(text string) string { return `LENGTH(CAST(` + text + ` AS BLOB))` },
		inCalendar: `EXISTS (SELECT 1 FROM json_each(timing, '$.calendars') WHERE value = ?)`,
		expand:     expandIn,
		table:      valuesTable,
		tokens:     countedTokens,
		pruneOld: func(ctx context.Context, c conn, before time.Time, limit int) (int, error) {
			return c.pruneHistory(ctx, "task_history", before, limit)
		},
		violation:  sqliteViolation,
		repeatable: func(error) bool { return false }, // there is nobody to undo it
		refuses:    sqliteRefuses,
		away:       func(error) bool { return false }, // it is a file: what is wrong with it does not pass by itself
	}
}

// countedTokens takes n fencing tokens, never given out before.
func countedTokens(ctx context.Context, c conn, n int) ([]int64, error) {
	var last int64
	err := c.get(ctx, &last, `UPDATE fencing SET token = token + ? WHERE name = 'claim' RETURNING token`, n)
	tokens := make([]int64, n)
	for i := range tokens {
		tokens[i] = last - int64(n) + 1 + int64(i)
	}
	return tokens, err
}

func sqliteViolation(err error) violation {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return noViolation
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return uniqueViolation
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return foreignKeyViolation
	}
	return noViolation
}

// sqliteRefuses reports whether SQLite cannot keep what it was given.
func sqliteRefuses(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff { // without what is said in more detail
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return true
	}
	return false
}

// registerFunctions adds fold(text), lower case for all letters: SQLite's own
// lower() knows ASCII only. The driver keeps functions per process.
var registerFunctions = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("fold", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			s, _ := args[0].(string)
			return strings.ToLower(s), nil
		})
})
