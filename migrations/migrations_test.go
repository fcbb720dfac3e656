package migrations_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/migrations"
)

var update = flag.Bool("update", false, "write testdata/checksums.txt anew; only before a migration is released")

// A database that has applied a migration never applies it again, so a changed
// file would leave old and new databases with different schemas.
func TestReleasedMigrationsDoNotChange(t *testing.T) {
	const list = "testdata/checksums.txt"
	sums := append(checksums(t, migrations.Postgres(), "postgres/"), checksums(t, migrations.SQLite(), "sqlite/")...)
	if *update {
		require.NoError(t, os.WriteFile(list, []byte(strings.Join(sums, "\n")+"\n"), 0o600))
	}
	f, err := os.Open(list)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var released []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		released = append(released, lines.Text())
	}
	require.Equal(t, released, sums, "a released migration has changed; add a new file instead (a new file: go test ./migrations -update)")
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	for _, tree := range []fs.FS{migrations.Postgres(), migrations.SQLite()} {
		files, err := fs.Glob(tree, "*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for i, name := range files {
			require.Regexp(t, fmt.Sprintf(`^%04d_[a-z0-9_]+\.sql$`, i+1), name)
		}
	}
}

func checksums(t *testing.T, tree fs.FS, prefix string) []string {
	t.Helper()
	files, err := fs.Glob(tree, "*.sql")
	require.NoError(t, err)
	sums := make([]string, len(files))
	for i, name := range files {
		text, err := fs.ReadFile(tree, name)
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		sums[i] = hex.EncodeToString(sum[:]) + "  " + prefix + name
	}
	return sums
}
