package wasm_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// cacheDir keeps compiled code for all tests: compiling a Go program takes
// seconds, and half a minute with the race detector.
var cacheDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wasm-test-")
	if err != nil {
		panic(err)
	}
	cacheDir = filepath.Join(dir, "cache")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// built holds the programs that several tests use, built once.
var built sync.Map // package → func() ([]byte, error)

// guest builds a package as a module.
func guest(t testing.TB, pkg string) []byte {
	t.Helper()
	build, _ := built.LoadOrStore(pkg, sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "guest") //nolint:usetesting // it serves several tests
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		out := filepath.Join(dir, "guest.wasm")
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
		if text, err := cmd.CombinedOutput(); err != nil {
			return text, err
		}
		return os.ReadFile(out)
	}))
	b, err := build.(func() ([]byte, error))()
	require.NoError(t, err, "%s", b)
	return b
}

const guestPackage = "github.com/nexuscore/scheduler/host/hosttest/guest"

const jsonEcho = "github.com/nexuscore/scheduler/host/hosttest/jsonecho"

// loadGuest loads a program with room for everything.
func loadGuest(t testing.TB, r host.Runtime, pkg string) host.Plugin {
	t.Helper()
	p, err := r.Load(t.Context(), host.Artifact{
		Type: "x", Bytes: guest(t, pkg), Logger: hclog.NewNullLogger(),
		Limits: host.Limits{Memory: 64 * host.MiB, Output: host.MiB, CPU: 10 * time.Second, Timeout: time.Minute, Concurrency: 8},
	})
	require.NoError(t, err)
	t.Cleanup(func() { closed(t, p) })
	return p
}

// request is a request frame with that data.
func request(t testing.TB, data string) []byte {
	t.Helper()
	b, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON}, []byte(data))
	require.NoError(t, err)
	return b
}

func newRuntimeWith(t testing.TB, cfg wasm.Config) *wasm.Runtime {
	t.Helper()
	r, err := wasm.New(cfg)
	require.NoError(t, err)
	return r
}

// closed closes a plugin at the end of a test.
func closed(t testing.TB, p host.Plugin) {
	t.Helper()
	require.NoError(t, p.Close(context.Background()))
}
