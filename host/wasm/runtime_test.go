package wasm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

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
