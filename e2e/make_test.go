package e2e

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThePluginsAreRebuiltWhenAnyOfTheirFilesChanges: schemas are embedded, and
// a plugin with yesterday's would refuse today's tasks.
func TestThePluginsAreRebuiltWhenAnyOfTheirFilesChanges(t *testing.T) {
	cmd := exec.Command("make", "--print-data-base", "--dry-run", "help")
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	rule := regexp.MustCompile(`(?m)^bin/plugins/%\.wasm: (.*)$`).FindSubmatch(out)
	require.NotNil(t, rule)
	needs := strings.Fields(string(rule[1]))
	for _, dir := range []string{"../plugins", "../sdk"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				require.Contains(t, needs, filepath.ToSlash(strings.TrimPrefix(path, "../")))
			}
			return err
		}))
	}
	require.Contains(t, needs, "plugins/message/rules.json")
}
