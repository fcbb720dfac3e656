package sqlstore_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

func TestStoreKeepsTheContract(t *testing.T) {
	coretest.TestStore(t, func(t testing.TB, clock core.Clock) core.Store {
		return openStore(t, emptyDatabase(t), clock)
	})
}

func TestPostgresKeepsTheContract(t *testing.T) {
	coretest.TestStore(t, func(t testing.TB, clock core.Clock) core.Store {
		return sqlstore.OpenTestPostgres(t, sqlstore.EmptyTestDatabase(t), clock)
	})
}

// openStore opens a database that is closed when the test ends.
func openStore(t testing.TB, path string, clock core.Clock) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(t.Context(), sqlstore.SQLiteConfig{Path: path, Clock: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// migrated is a database file with the schema and nothing else. Migrating takes
// longer than most tests, so it is done once.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "sqlstore")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "scheduler.db")
	s, err := sqlstore.OpenSQLite(context.Background(), sqlstore.SQLiteConfig{Path: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// emptyDatabase returns the path of a fresh copy of it.
func emptyDatabase(t testing.TB) string {
	t.Helper()
	file, err := migrated()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "scheduler.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return path
}
