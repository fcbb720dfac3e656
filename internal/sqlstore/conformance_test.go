package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

func TestStoreKeepsTheContract(t *testing.T) {
	coretest.TestStore(t, func(t testing.TB, clock core.Clock) core.Store {
		return openStore(t, filepath.Join(t.TempDir(), "scheduler.db"), clock)
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
