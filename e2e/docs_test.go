package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var bashBlock = regexp.MustCompile("(?s)```bash\n(.*?)```")

// TestEveryCommandInTheDocsWorks runs the bash blocks of the README and of
// docs/, in order, against a server. make is only asked whether it knows the
// target: this test is run by one of them.
func TestEveryCommandInTheDocsWorks(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	s := startService(t)
	for _, file := range append(files, "../README.md", "../CONTRIBUTING.md") {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range bashBlock.FindAllStringSubmatch(string(raw), -1) {
			script := strings.ReplaceAll(block[1], "localhost:3006", strings.TrimPrefix(s.url, "http://"))
			script = "set -euo pipefail\nmake() { command make --dry-run --silent \"$@\" >/dev/null; }\n" +
				strings.ReplaceAll(script, "curl ", "curl --fail-with-body ")
			cmd := exec.Command("bash", "-c", script)
			cmd.Dir = ".."
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s:\n%s\n%s", file, block[1], out)
		}
	}
	s.eventually("the reminder of the README arrives", 20*time.Second, func() bool {
		return strings.Contains(s.log.String(), "Time to start streaming!")
	})
}
