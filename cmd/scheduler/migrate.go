package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

const migrateUsage = `usage: scheduler migrate up|down|status

  up            apply the migrations that are missing; the service does so itself when it starts
  down          take the last migration back, with no node running; of a database that nodes use only with --force
  status        show what is applied, and change nothing
`

// forced makes migrate down take no notice of living nodes.
const forced = "--force"

// migrate changes or shows the schema of the configured database.
func migrate(ctx context.Context, args []string, env environment) int {
	if len(args) == 1 && slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		fmt.Fprint(env.stdout, migrateUsage)
		return exitOK
	}
	force := len(args) == 2 && args[0] == string(sqlstore.MigrateDown) && args[1] == forced
	if len(args) != 1 && !force {
		fmt.Fprint(env.stderr, migrateUsage)
		return exitUsage
	}
	direction := sqlstore.Direction(args[0])
	switch direction {
	case sqlstore.MigrateUp, sqlstore.MigrateDown, sqlstore.MigrateStatus:
	default:
		fmt.Fprintf(env.stderr, "scheduler migrate: %q is not one of up, down, status\n", args[0])
		return exitUsage
	}
	cfg, err := config.Load(env.getenv)
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: the configuration is wrong:\n%s\n", err)
		return exitUsage
	}
	path := filepath.Join(cfg.DataDir, app.DatabaseName)
	if cfg.DatabaseURL == "" && direction == sqlstore.MigrateStatus && !exists(path) {
		fmt.Fprintf(env.stdout, "no database yet: %s\n", path) // opening it would make one
		return exitOK
	}
	var all []sqlstore.MigrationStatus
	if cfg.DatabaseURL == "" {
		all, err = sqlstore.MigrateSQLite(ctx, path, direction)
	} else {
		all, err = migratePostgres(ctx, cfg.DatabaseURL.Reveal(), direction, force)
	}
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: %s\n", err)
		return exitError
	}
	for _, m := range all {
		state := "pending"
		if m.Applied {
			state = "applied " + m.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(env.stdout, "%-40s %s\n", m.Name, state)
	}
	return exitOK
}

// migratePostgres migrates the database that nodes share. It takes nothing away
// that a living node uses, unless it is forced to.
func migratePostgres(ctx context.Context, url string, d sqlstore.Direction, force bool) ([]sqlstore.MigrationStatus, error) {
	if d == sqlstore.MigrateDown && !force {
		nodes, err := sqlstore.LivingNodes(ctx, url, core.NodeAge)
		if err != nil {
			return nil, fmt.Errorf("DATABASE_URL: %w", err)
		}
		if len(nodes) > 0 {
			return nil, fmt.Errorf("migrate down: the database is in use, and these nodes would break: %s; stop them first "+
				"(one that was killed counts for %s after its last report), or say --force", strings.Join(nodes, ", "), core.NodeAge)
		}
	}
	all, err := sqlstore.MigratePostgres(ctx, url, d)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return all, nil
}

// exists reports whether a file is there, or may be: what cannot be told is left
// to whoever opens it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
