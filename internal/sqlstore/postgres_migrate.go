package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/nexuscore/scheduler/migrations"
)

// migrationLock keeps two nodes from migrating at once.
const migrationLock = 0x6e63730000000001

// MigratePostgres migrates the database and returns what is applied then, in
// order. A node that finds another one at it waits until that one is done, or
// until ctx ends.
func MigratePostgres(ctx context.Context, url string, d Direction) (status []MigrationStatus, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate %s: %w", d, err)
		}
	}()
	// A migration, and waiting for one, may take as long as it takes.
	dsn, err := postgresDSN(PostgresConfig{URL: url, IdleTimeout: time.Hour})
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil { // what goose makes of it says less
		return nil, err
	}
	if d != MigrateStatus {
		unlock, err := lockMigrations(ctx, db)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	return migrate(ctx, postgresMigrations, db, d)
}

// lockMigrations takes the lock on a connection of its own. It ends with the
// connection at the latest, so a node that is killed keeps nobody out.
func lockMigrations(ctx context.Context, db *sql.DB) (unlock func() error, err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return func() error {
		_, err := c.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(migrationLock))
		return errors.Join(err, c.Close())
	}, nil
}

func postgresMigrations(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectPostgres, db, migrations.Postgres(), goose.WithDisableGlobalRegistry(true))
}
