package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dedent reads the house's plugins.yaml and moves everything from a marker on
// two columns to the left, so that list can be given a second entry.
func dedent(t *testing.T, h *house, marker string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, "plugins.yaml"))
	require.NoError(t, err)
	before, after, ok := strings.Cut(string(b), "    "+marker)
	require.True(t, ok)
	return before + "  " + marker + strings.ReplaceAll(after, "\n    ", "\n  ")
}
