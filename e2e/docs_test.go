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

// TestThePluginInTheREADMEWorks builds the README's plugin as a third party
// would, outside the repository, and runs it.
func TestThePluginInTheREADMEWorks(t *testing.T) {
	raw, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	source := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(raw)
	require.NotNil(t, source)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	sums, err := os.ReadFile("../go.sum")
	require.NoError(t, err)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"main.go": string(source[1]),
		"go.sum":  string(sums),
		"go.mod": "module example.com/greeter\n\ngo 1.26.0\n\nrequire github.com/nexuscore/scheduler v0.0.0\n\n" +
			"replace github.com/nexuscore/scheduler => " + root + "\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", "greeter.wasm", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	s := startService(t)
	s.writePlugins(bothPlugins + "  - {type: greeter, runtime: wasm, source: " + filepath.Join(dir, "greeter.wasm") + "}\n")
	s.call(200, "POST", "/plugins/reload", nil)
	id := s.create(object{"name": "greet", "type": "greeter", "data": object{"Name": "Ada"}})
	e := s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil).body
	require.Equal(t, object{"greeting": "Hello, Ada"}, e["result"])
}
