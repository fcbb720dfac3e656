//go:build linux

package process_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/process"
)

func TestMain(m *testing.M) {
	process.RunIfChild()
	if path, ok := os.LookupEnv(hostVariable); ok {
		serveAsHost(path)
	}
	goleak.VerifyTestMain(m)
}

func newRuntime(t testing.TB) host.Runtime { return newRuntimeWith(t, process.Config{}) }

func newRuntimeWith(t testing.TB, cfg process.Config) *process.Runtime {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = shortDir(t)
	}
	r, err := process.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close(context.Background()))
		left, err := os.ReadDir(cfg.Dir)
		require.NoError(t, err)
		require.Empty(t, left, "sockets are removed")
	})
	return r
}

// shortDir is a directory whose path leaves room for sockets.
func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "p") //nolint:usetesting // T's carry the name of the test
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func build(t testing.TB) string { return hosttest.BuildProcess(t, hosttest.Guest) }

func TestRuntime(t *testing.T) {
	hosttest.TestRuntime(t, hosttest.Factory{Name: "process", New: newRuntime, Build: build, Shared: true, Exit: core.CodePluginCrashed})
}

// With a process for every run, no run sees anything of another.
func TestRuntimeWithAProcessPerRun(t *testing.T) {
	hosttest.TestRuntime(t, hosttest.Factory{Name: "process", New: newRuntime, Build: build, Init: host.InitPerRun, Exit: core.CodePluginCrashed})
}
