package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/migrations"
)

// Direction is what to do with the schema.
type Direction string

// The directions.
const (
	MigrateUp     Direction = "up"     // apply all migrations that are missing
	MigrateDown   Direction = "down"   // take the last applied migration back
	MigrateStatus Direction = "status" // change nothing
)

// MigrationStatus is one migration and whether it is applied.
type MigrationStatus struct {
	Version   int64
	Name      string
	Applied   bool
	AppliedAt time.Time // zero when not applied
}

// MigrateSQLite migrates the database file and returns what is applied then, in
// order. Up and down need the file for themselves, as OpenSQLite does; status
// also works beside a running service.
func MigrateSQLite(ctx context.Context, path string, d Direction) (status []MigrationStatus, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate %s %s: %w", path, d, err)
		}
	}()
	path, err = databaseFile(path, true) // OpenSQLite judges the file system
	if err != nil {
		return nil, err
	}
	if d != MigrateStatus {
		lock, err := lockFile(path+".lock", core.SystemClock{}.Now())
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	db, err := sqlx.ConnectContext(ctx, "sqlite", writerDSN(path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return migrate(ctx, sqliteMigrations, db.DB, d)
}

func sqliteMigrations(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, migrations.SQLite(), goose.WithDisableGlobalRegistry(true))
}

func migrate(ctx context.Context, provider func(*sql.DB) (*goose.Provider, error), db *sql.DB, d Direction) ([]MigrationStatus, error) {
	p, err := provider(db)
	if err != nil {
		return nil, err
	}
	// An old program on a new schema would lose what it does not know of.
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return nil, err
	}
	if have > known {
		return nil, fmt.Errorf("the database is at schema version %d and this program knows %d; use a newer program", have, known)
	}
	switch d {
	case MigrateUp:
		_, err = p.Up(ctx)
	case MigrateDown:
		_, err = p.Down(ctx)
	case MigrateStatus:
	default:
		err = fmt.Errorf("direction %q is not one of up, down, status", d)
	}
	if err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
		return nil, err
	}
	return migrationStatus(ctx, p)
}

func migrationStatus(ctx context.Context, p *goose.Provider) ([]MigrationStatus, error) {
	found, err := p.Status(ctx)
	if err != nil {
		return nil, err
	}
	status := make([]MigrationStatus, len(found))
	for i, m := range found {
		status[i] = MigrationStatus{
			Version: m.Source.Version, Name: m.Source.Path,
			Applied: m.State == goose.StateApplied, AppliedAt: m.AppliedAt,
		}
	}
	return status, nil
}
