package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain looks for goroutines that were left behind. Two of the HTTP server's
// library end a while after the server has, or serve all of a process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// buffer is written by the service and read by the test.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// shell is a command line's surroundings: variables that nobody else sees, a
// directory of its own and what was printed.
type shell struct {
	t           *testing.T
	vars        map[string]string
	out, err    buffer
	restored    int // how often the signals were given back
	dir         string
	pluginsFile string
}

func newShell(t *testing.T) *shell {
	s := &shell{t: t, dir: t.TempDir()}
	s.pluginsFile = filepath.Join(s.dir, "plugins.yaml")
	require.NoError(t, os.WriteFile(s.pluginsFile, []byte("plugins: []\n"), 0o600))
	s.vars = map[string]string{"DATA_DIR": filepath.Join(s.dir, "data"), "PLUGINS_CONFIG": s.pluginsFile, "PORT": "0"}
	return s
}

// run executes a command line and returns its exit code.
func (s *shell) run(ctx context.Context, args ...string) int {
	return run(ctx, args, environment{
		getenv: func(name string) string { return s.vars[name] },
		stdout: &s.out, stderr: &s.err, restoreSignals: func() { s.restored++ },
	})
}

func TestHelpIsPrintedWhenAskedFor(t *testing.T) {
	for _, word := range []string{"help", "-h", "--help"} {
		s := newShell(t)
		require.Equal(t, exitOK, s.run(t.Context(), word))
		require.Empty(t, s.err.String())
		for _, c := range commands() {
			require.Contains(t, s.out.String(), "  "+c.name+" ")
			require.Contains(t, s.out.String(), c.summary)
		}
	}
}

func TestAnUnknownCommandIsNamed(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitUsage, s.run(t.Context(), "srve"))
	require.Contains(t, s.err.String(), `unknown command "srve"`)
	require.Contains(t, s.err.String(), "serve", "what there is follows")
	require.Empty(t, s.out.String())
}

func TestVersion(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitOK, s.run(t.Context(), "version"))
	require.Regexp(t, `^scheduler dev(\+[0-9a-f]{12})?\n$`, s.out.String())
	require.Empty(t, s.err.String())
}

func TestAWrongConfigurationIsToldWhole(t *testing.T) {
	for name, args := range map[string][]string{"serve": {"serve"}, "no command": nil, "migrate": {"migrate", "up"}, "doctor": {"doctor"}, "ready": {"ready"}} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.vars["PORT"], s.vars["LOG_LEVEL"] = "http", "loud"
			require.Equal(t, exitUsage, s.run(t.Context(), args...))
			require.Contains(t, s.err.String(), "the configuration is wrong:\nPORT: ")
			require.Contains(t, s.err.String(), "\nLOG_LEVEL: ")
			require.Empty(t, s.out.String())
			require.NoDirExists(t, s.vars["DATA_DIR"], "nothing was begun")
		})
	}
}
