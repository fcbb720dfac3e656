package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheTutorialWorks follows "The first plugin" of docs/plugins.md as a third
// party would, outside the repository, and runs the plugin in a server.
func TestTheTutorialWorks(t *testing.T) {
	section := sectionOf(t, "../docs/plugins.md", "## The first plugin")
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```")
	block := commands.FindStringSubmatch(section)
	require.NotNil(t, block)
	require.Equal(t, block, commands.FindStringSubmatch(sectionOf(t, "../README.md", "## Write a task type")), "the README shows the same")
	require.Len(t, strings.Split(strings.TrimSpace(block[1]), "\n"), 5, "commands")
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	s := startService(t)
	require.NoError(t, os.Symlink(filepath.Join(built, s.program), filepath.Join(dir, "scheduler")))
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", block[1])
	cmd.Dir = dir
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	cmd.Env = append(os.Environ(), "SCHEDULER="+root, "GOCACHE="+strings.TrimSpace(string(cache)), "PATH="+dir+":"+os.Getenv("PATH"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), `"greeting": "hello Ada"`)
	require.NotContains(t, string(out), "FAIL")

	// The pages show what was made.
	made, err := os.ReadFile(filepath.Join(dir, "greeter", "main.go"))
	require.NoError(t, err)
	for _, page := range []string{section, sectionOf(t, "../README.md", "## Write a task type")} {
		source := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(page)
		require.NotNil(t, source)
		for _, line := range strings.Split(source[1], "\n") {
			require.Contains(t, string(made), strings.TrimSpace(line))
		}
	}

	s.writePlugins(bothPlugins + "  - {type: greeter, runtime: wasm, source: " + filepath.Join(dir, "greeter", "greeter.wasm") + "}\n")
	s.call(200, "POST", "/plugins/reload", nil)
	id := s.create(object{"name": "greet", "type": "greeter", "data": object{"name": "Ada"}})
	e := s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil).body
	require.Equal(t, object{"greeting": "hello Ada"}, e["result"])
}

// sectionOf is what a page has under a heading, to the page's end.
func sectionOf(t *testing.T, page, heading string) string {
	t.Helper()
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(raw), heading+"\n")
	require.True(t, found, "%s has no section %q", page, heading)
	return section
}
