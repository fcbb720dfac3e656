// Package sqlstore keeps tasks, schedules and executions in a SQL database. It
// implements core.Store; what differs between databases is a dialect, and the
// queries are shared.
//
// Every method of Store is one transaction of the writer, or one snapshot of
// the reader. Executions live in two tables: executions holds the few that have
// not ended, task_history the many that have. A row moves from the first to the
// second in the transaction that ends it.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jmoiron/sqlx"

	"github.com/nexuscore/scheduler/core"
)

// Store is a core.Store on a SQL database. OpenSQLite and OpenPostgres make one.
// It is safe for concurrent use; Close ends it.
type Store struct {
	writer  *sqlx.DB
	reader  *sqlx.DB // the same pool as writer where the database does not care
	dialect dialect
	logger  hclog.Logger
	release func() error // gives up what Open took beside the pools
	limits  atomic.Pointer[func(taskType string) int]

	strict     bool       // in tests: the last tries wait no more than the others
	pruning    sync.Mutex // one Prune at a time
	pruneAfter string     // the task that Prune looked at last; guarded by pruning
}

// dialect is what differs between databases. Queries are written with ? and
// rebound; a difference that can be one expression is one here.
type dialect struct {
	bind     int                                                                 // sqlx's name for the placeholders
	now      func(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) // the clock that decides what is due
	snapshot sql.TxOptions                                                       // of reads that see one moment
	yes, no  string                                                              // the truth values
	withMay  bool                                                                // write: a WITH may delete

	// Suffixes of SELECT. Where the database has one writer they are empty.
	lock         string // lock one row against change
	lockAll      string // lock rows in the order of their ids, in which nobody waits in a circle
	lockNow      string // the same, but fail when somebody has one of them; the transaction is repeated
	lockToDelete string // lock a task also against new references to it
	keep         string // keep rows from being deleted
	skipLocked   string // lock rows and leave out those locked by others

	inOrder    string                                                                      // statement: see conn.walkInOrder; "" where it needs none
	byCreation string                                                                      // suffix of task_history in FROM: walk it by created_at
	nameHas    string                                                                      // condition: tasks.name contains ?, which is in lower case
	inCalendar string                                                                      // condition on a row with timing: it names the calendar ?
	bytes      func(text string) string                                                    // expression: the length of a text in bytes
	expand     func(query string, args []any) (string, []any, error)                       // makes each IN (?) ready for its slice
	table      func(columns []string, args []any) (string, []any)                          // see conn.table
	tokens     func(ctx context.Context, c conn, n int) ([]int64, error)                   // new fencing tokens, the greatest last
	hold       func(ctx context.Context, c conn, shared bool, name string) error           // see conn.hold; nil where there is one writer
	holdSlots  func(ctx context.Context, c conn, keys, types []string) error               // see conn.holdSlots; nil where there is one writer
	maintain   func(ctx context.Context, s *Store) error                                   // what the database needs beside Prune; nil is nothing
	pruneOld   func(ctx context.Context, c conn, before time.Time, limit int) (int, error) // remove history that ended before
	violation  func(error) violation                                                       // which constraint an error is about
	repeatable func(error) bool                                                            // the transaction did nothing, and may do better when repeated
	refuses    func(error) bool                                                            // it is about what the database was given
	away       func(error) bool                                                            // the database does not serve now, and nothing has happened
}

// violation is a kind of constraint that a statement broke.
type violation int

const (
	noViolation violation = iota
	uniqueViolation
	foreignKeyViolation
)

// Ping answers when the database does.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.reader.GetContext(ctx, &one, `SELECT 1`); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// Close waits for running statements, closes the database and lets another
// process open it.
func (s *Store) Close() error {
	// The reader goes first: the last connection to close folds the write-ahead
	// log into the database, and a read-only one cannot.
	var errs []error
	if s.reader != nil && s.reader != s.writer {
		errs = append(errs, s.reader.Close())
	}
	errs = append(errs, s.writer.Close())
	if s.release != nil {
		errs = append(errs, s.release())
	}
	return errors.Join(errs...)
}

// conn runs queries: in a transaction, or alone on a pool. now is the time of
// its transaction and zero outside of one.
type conn struct {
	db      sqlx.ExtContext
	limit   func(taskType string) int // of executions of a type that hold a slot; 0 is none
	dialect dialect
	now     time.Time
}

// LimitTypes implements core.QueueStore.
func (s *Store) LimitTypes(limit func(taskType string) int) { s.limits.Store(&limit) }

func (s *Store) typeLimit() func(taskType string) int {
	if limit := s.limits.Load(); limit != nil {
		return *limit
	}
	return func(string) int { return 0 }
}

// read runs single statements on the reader.
func (s *Store) read() conn { return conn{db: s.reader, dialect: s.dialect, limit: s.typeLimit()} }

// write runs step in one transaction of the writer. An error of step is
// returned as it is when it is part of the contract; else operation names it.
func (s *Store) write(ctx context.Context, operation string, step func(ctx context.Context, c conn) error) error {
	return s.transact(ctx, s.writer, nil, operation, step)
}

// snapshot runs several reads that see the same moment.
func (s *Store) snapshot(ctx context.Context, operation string, step func(ctx context.Context, c conn) error) error {
	return s.transact(ctx, s.reader, &s.dialect.snapshot, operation, step)
}

// maxTries bounds how often a transaction is begun, and maxPause the time
// between two tries. What others undo succeeds mostly the second time. The last
// tries wait also for what should not be waited for: in such a crowd a deadlock,
// which the database ends after a second, is better than no turn at all.
const (
	maxTries  = 10
	lastTries = 2
	maxPause  = 250 * time.Millisecond
)

// transact runs step in a transaction, and again when others have undone it:
// steps are safe to repeat.
func (s *Store) transact(ctx context.Context, db *sqlx.DB, opts *sql.TxOptions, operation string,
	step func(ctx context.Context, c conn) error,
) error {
	d := s.dialect
	for try := 1; ; try++ {
		if try > maxTries-lastTries && !s.strict {
			d.lockNow = d.lockAll
		}
		err := s.try(ctx, db, opts, d, step)
		if err == nil || try == maxTries || !s.dialect.repeatable(err) || pause(ctx, try) != nil {
			return s.wrap(operation, err)
		}
		s.logger.Debug("transaction is repeated", "operation", operation, "try", try, "cause", err)
	}
}

// pause waits before a transaction is repeated: longer each time, and not as
// long as the others that were undone with it.
func pause(ctx context.Context, try int) error {
	wait := time.NewTimer(rand.N(min(maxPause, 5*time.Millisecond<<try)))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return nil
	}
}

// commitError says that a COMMIT failed. Unless the database itself says that it
// took the transaction back, nobody knows what became of it.
type commitError struct{ error }

// Unwrap returns the cause.
func (e commitError) Unwrap() error { return e.error }

func (s *Store) try(ctx context.Context, db *sqlx.DB, opts *sql.TxOptions, d dialect, step func(ctx context.Context, c conn) error) error {
	tx, err := db.BeginTxx(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit; also runs when step panics
	now, err := d.now(ctx, tx)
	if err != nil {
		return err
	}
	if err := step(ctx, conn{db: tx, dialect: d, now: now, limit: s.typeLimit()}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return commitError{err}
	}
	return nil
}

// walkInOrder makes the planner read in the order of an index, for as long as the
// transaction lasts. A table whose rows live for seconds is never what it was when
// it was last counted; a planner that believes that few rows meet a condition
// gathers and sorts what are many, of which the first page is wanted.
func (c conn) walkInOrder(ctx context.Context) error {
	if c.dialect.inOrder == "" {
		return nil
	}
	_, err := c.db.ExecContext(ctx, c.dialect.inOrder)
	return err
}

// hold waits until no other transaction holds the name and holds it until this
// one ends. It stands for what is counted or looked for and has no row to lock.
func (c conn) hold(ctx context.Context, name string) error {
	if c.dialect.hold == nil {
		return nil
	}
	return c.dialect.hold(ctx, c, false, name)
}

// holdShared is hold for several transactions at a time, beside nobody who holds
// the name alone.
func (c conn) holdShared(ctx context.Context, name string) error {
	if c.dialect.hold == nil {
		return nil
	}
	return c.dialect.hold(ctx, c, true, name)
}

// holdSlots is hold for the slots of concurrency keys and task types.
func (c conn) holdSlots(ctx context.Context, keys, types []string) error {
	if c.dialect.holdSlots == nil || len(keys)+len(types) == 0 {
		return nil
	}
	return c.dialect.holdSlots(ctx, c, keys, types)
}

var _ core.Store = (*Store)(nil)
