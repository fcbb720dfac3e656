package examples_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/wasm"
)

const goConformance = "github.com/nexuscore/scheduler/examples/go/conformance"

// newWASM makes a runtime that keeps compiled code for all tests.
func newWASM(t testing.TB) host.Runtime {
	r, err := wasm.New(wasm.Config{CacheDir: cacheDir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// conforms holds a module to the conformance table.
func conforms(t *testing.T, path string) {
	t.Helper()
	hosttest.TestConformance(t, hosttest.Candidate{Runtime: "wasm", New: newWASM, Path: path})
}

func TestGoConforms(t *testing.T) {
	conforms(t, hosttest.BuildWASM(t, goConformance))
}

// TestYourModuleConforms holds a module from elsewhere to the table, see
// docs/conformance.md.
func TestYourModuleConforms(t *testing.T) {
	path, ok := os.LookupEnv("CONFORMANCE_MODULE")
	if !ok {
		t.Skip("CONFORMANCE_MODULE names no module")
	}
	conforms(t, path)
}
