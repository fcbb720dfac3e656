package wasm_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/wasm"
)

func newRuntime(t testing.TB) host.Runtime {
	r, err := wasm.New(wasm.Config{CacheDir: cacheDir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

func TestRuntime(t *testing.T) {
	hosttest.TestRuntime(t, hosttest.Factory{
		Name:  "wasm",
		Exit:  core.CodePluginTrap,
		New:   newRuntime,
		Build: func(t testing.TB) string { return hosttest.BuildWASM(t, hosttest.Guest) },
	})
}

// Where calls cannot run on stacks of ours, that is said.
func TestConfinementTellsOfTheStack(t *testing.T) {
	r := newRuntimeWith(t, wasm.Config{})
	if runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64") {
		require.Equal(t, "on", r.Confinement()["stack"])
	}
	wasm.WithoutStack(r)
	require.Contains(t, r.Confinement()["stack"], "off: the engine's functions are not what they were")
	require.False(t, wasm.Carries(nil), "an engine of another kind")
	require.False(t, wasm.Carries(&strange{}), "one whose functions have no such fields")
}

// strange is a function of another engine.
type strange struct{ api.Function }
