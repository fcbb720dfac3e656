package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// migrate changes or shows the schema of the configured database.
func migrate(ctx context.Context, args []string, env environment) int {
	if len(args) != 1 {
		fmt.Fprintln(env.stderr, "usage: scheduler migrate up|down|status")
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
		all, err = sqlstore.MigratePostgres(ctx, cfg.DatabaseURL.Reveal(), direction)
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

// exists reports whether a file is there, or may be: what cannot be told is left
// to whoever opens it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
