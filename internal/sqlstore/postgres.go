package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/nexuscore/scheduler/core"
)

// PostgresConfig says where the database is and how it is used.
type PostgresConfig struct {
	// URL is postgresql://user:password@host:port/database, with the parameters
	// of lib/pq; others are settings of the session, search_path for example.
	// What it says about timeouts, sslmode and application_name wins over the
	// defaults here.
	URL string
	// Clock decides what is due, for tests. nil is the database's clock, the one
	// that several nodes agree on.
	Clock  core.Clock
	Logger hclog.Logger // nil discards

	MaxConns         int           // connections at most; 0 is 4 for each processor and at least 10
	ConnLifetime     time.Duration // of a connection, so that they follow a failover; 0 is 30 minutes
	StatementTimeout time.Duration // the database ends a statement that takes longer; 0 is 30 s
	LockTimeout      time.Duration // the same for waiting for a lock; 0 is 10 s
	IdleTimeout      time.Duration // the same for a transaction whose node says nothing; 0 is 30 s
}

func (cfg *PostgresConfig) setDefaults() {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = max(10, 4*runtime.GOMAXPROCS(0))
	}
	for d, value := range map[*time.Duration]time.Duration{
		&cfg.ConnLifetime: 30 * time.Minute, &cfg.StatementTimeout: 30 * time.Second,
		&cfg.LockTimeout: 10 * time.Second, &cfg.IdleTimeout: 30 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
}

// Postgres is a Store on PostgreSQL 14 or later, which any number of nodes
// share, and what else nodes can share through it.
type Postgres struct {
	*Store
	url string // with the defaults; for the listener's own connection
}

// OpenPostgres opens the database and brings its schema up to date. Of several
// nodes that do so at once one migrates and the others wait. Nothing is taken
// over from nodes that died: their leases end by themselves.
func OpenPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	cfg.setDefaults()
	p, err := openPostgres(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return p, nil
}

func openPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if _, err := MigratePostgres(ctx, cfg.URL, MigrateUp); err != nil {
		return nil, err
	}
	dsn, err := postgresDSN(cfg)
	if err != nil {
		return nil, err
	}
	db, err := sqlx.ConnectContext(ctx, "postgres", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(cfg.MaxConns)
	db.SetMaxIdleConns(cfg.MaxConns) // closing one that is needed again a moment later costs more than keeping it
	db.SetConnMaxLifetime(cfg.ConnLifetime)
	db.SetConnMaxIdleTime(5 * time.Minute)
	d, err := postgresDialect(ctx, db, cfg.Clock)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{writer: db, reader: db, dialect: d, logger: cfg.Logger}
	if err := s.makePartitions(ctx); err != nil {
		// The default partitions take what comes; maintenance tries again.
		cfg.Logger.Warn("partitions of the history were not made", "error", err)
	}
	return &Postgres{Store: s, url: dsn}, nil
}

// postgresDSN adds our defaults to a URL.
func postgresDSN(cfg PostgresConfig) (string, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return "", errors.New("the database's URL cannot be read") // its text holds a password
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fmt.Errorf("the database's URL begins with %q, not with postgresql://", u.Scheme)
	}
	q := u.Query()
	for name, value := range map[string]string{
		"application_name":                    "nexuscore-scheduler",
		"connect_timeout":                     "10", // seconds
		"statement_timeout":                   millis(cfg.StatementTimeout),
		"lock_timeout":                        millis(cfg.LockTimeout),
		"idle_in_transaction_session_timeout": millis(cfg.IdleTimeout),
	} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	if !q.Has("sslmode") && os.Getenv("PGSSLMODE") == "" {
		q.Set("sslmode", "prefer") // as psql; the driver's own default refuses a server without TLS
	}
	q.Set("timezone", "UTC")
	// Nothing the service asks for is most of a table, and nothing takes long. A
	// planner that has not counted a table lately believes that it is small and
	// reads it to the end, or that it is huge and compiles the statement and starts
	// processes for it.
	for name, value := range map[string]string{"enable_seqscan": "off", "jit": "off", "max_parallel_workers_per_gather": "0"} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	q.Set("binary_parameters", "yes") // one round trip a statement and not two
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func postgresDialect(ctx context.Context, db *sqlx.DB, clock core.Clock) (dialect, error) {
	nameHas, err := nameSearch(ctx, db)
	d := dialect{
		bind:     sqlx.DOLLAR,
		now:      databaseClock,
		snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		yes:      "true", no: "false",
		withMay: true,

		lock:         ` FOR NO KEY UPDATE`,
		lockAll:      ` ORDER BY id FOR NO KEY UPDATE`,
		lockNow:      ` ORDER BY id FOR NO KEY UPDATE NOWAIT`,
		lockToDelete: ` FOR UPDATE`,
		keep:         ` ORDER BY id FOR KEY SHARE`,
		skipLocked:   ` FOR NO KEY UPDATE SKIP LOCKED`,

		inOrder:    `SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off`,
		nameHas:    nameHas,
		bytes:      func(text string) string { return `octet_length(` + text + `)` },
		inCalendar: `timing @> jsonb_build_object('calendars', jsonb_build_array(?::text))`,
		expand:     expandAny,
		table:      unnestTable,
		tokens:     sequenceTokens,
		hold:       holdName,
		holdSlots:  holdSlots,
		maintain:   maintainPostgres,
		pruneOld:   pruneOldPartitions,
		violation:  postgresViolation,
		repeatable: postgresRepeatable,
		refuses:    postgresRefuses,
		away:       postgresAway,
	}
	if clock != nil {
		d.now = func(context.Context, sqlx.QueryerContext) (time.Time, error) {
			return core.Instant(clock.Now()), nil
		}
	}
	return d, err
}

// databaseClock is the time now, not that of the transaction's begin: waiting
// for a lock may lie between the two.
func databaseClock(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) {
	var now time.Time
	err := sqlx.GetContext(ctx, q, &now, `SELECT clock_timestamp()`)
	return core.Instant(now), err
}

// nameSearch is the condition that a name contains a text. A database whose
// collation is C knows the lower case of ASCII only; ICU knows that of all
// letters, where the server was built with it.
func nameSearch(ctx context.Context, db *sqlx.DB) (string, error) {
	var icu bool
	err := db.GetContext(ctx, &icu, `SELECT EXISTS (SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu')`)
	if icu {
		return `strpos(lower(name COLLATE "und-x-icu"), ?) > 0`, err
	}
	return `strpos(lower(name), ?) > 0`, err
}

// sequenceTokens draws n fencing tokens. A sequence gives no number twice,
// whatever becomes of the transaction, and makes nobody wait.
func sequenceTokens(ctx context.Context, c conn, n int) (tokens []int64, err error) {
	err = c.list(ctx, &tokens, `SELECT nextval('claim_tokens') FROM generate_series(1, ?::int)`, n)
	return tokens, err
}

// maintainPostgres makes the partitions of the weeks to come and forgets leases
// and rate limits that say nothing any more. A lease is kept for an hour: while
// its row is there, a statement that is late cannot hand out an older token.
func maintainPostgres(ctx context.Context, s *Store) error {
	return errors.Join(s.makePartitions(ctx), s.write(ctx, "forget leases and limits", func(ctx context.Context, c conn) error {
		_, err := c.exec(ctx, `DELETE FROM task_locks WHERE lock_until < clock_timestamp() - interval '1 hour'`)
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `DELETE FROM rate_limits WHERE full_at < extract(epoch FROM clock_timestamp() - interval '1 minute') * 1000000`)
		return err
	}))
}

func postgresViolation(err error) violation {
	e := pq.As(err)
	switch {
	case e == nil:
		return noViolation
	case e.Code == "23505":
		return uniqueViolation
	case e.Code == "23503":
		return foreignKeyViolation
	}
	return noViolation
}
