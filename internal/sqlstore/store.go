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
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jmoiron/sqlx"

	"github.com/nexuscore/scheduler/core"
)

// Store is a core.Store on a SQL database. OpenSQLite makes one. It is safe for
// concurrent use; Close ends it.
type Store struct {
	writer  *sqlx.DB
	reader  *sqlx.DB // the same pool as writer where the database does not care
	dialect dialect
	logger  hclog.Logger
	release func() error // gives up what Open took beside the pools
	limits  atomic.Pointer[func(taskType string) int]

	// pruneAfter is the task that Prune looked at last. Only the writer's
	// transactions, of which there is one at a time, touch it.
	pruneAfter string
}

// dialect is what differs between databases. Queries are written with ? and
// rebound; a difference that can be one expression is one here.
type dialect struct {
	bind       int                                                                 // sqlx's name for the placeholders
	now        func(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) // the clock that decides what is due
	lock       string                                                              // suffix: lock the selected rows
	skipLocked string                                                              // suffix: lock them and leave out those locked by others
	byCreation string                                                              // suffix of task_history in FROM: walk it by created_at
	nameHas    string                                                              // condition: tasks.name contains ?, which is in lower case
	inCalendar string                                                              // condition on a row with timing: it names the calendar ?
	violation  func(error) violation                                               // which constraint an error is about
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
	return s.transact(ctx, s.reader, &sql.TxOptions{ReadOnly: true}, operation, step)
}

func (s *Store) transact(ctx context.Context, db *sqlx.DB, opts *sql.TxOptions, operation string,
	step func(ctx context.Context, c conn) error,
) error {
	tx, err := db.BeginTxx(ctx, opts)
	if err != nil {
		return s.wrap(operation, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit; also runs when step panics
	now, err := s.dialect.now(ctx, tx)
	if err != nil {
		return s.wrap(operation, err)
	}
	if err := step(ctx, conn{db: tx, dialect: s.dialect, now: now, limit: s.typeLimit()}); err != nil {
		return s.wrap(operation, err)
	}
	return s.wrap(operation, tx.Commit())
}

var _ core.Store = (*Store)(nil)
