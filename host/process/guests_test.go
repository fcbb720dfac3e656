//go:build linux

package process_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/process"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const hostilePackage = "github.com/nexuscore/scheduler/host/hosttest/hostile"

// built holds programs that several tests use, built once.
var built sync.Map // package and mode → func() ([]byte, error)

// program builds a package; mode is how the hostile one starts.
func program(t testing.TB, pkg, mode string) []byte {
	t.Helper()
	build, _ := built.LoadOrStore(pkg+" "+mode, sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "guest") //nolint:usetesting // it serves several tests
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		out := filepath.Join(dir, "guest")
		cmd := exec.Command("go", "build", "-ldflags=-s -w -X main.mode="+mode, "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return text, err
		}
		return os.ReadFile(out)
	}))
	b, err := build.(func() ([]byte, error))()
	require.NoError(t, err, "%s", b)
	return b
}

// artifact is a program with room for everything.
func artifact(program []byte) host.Artifact {
	return host.Artifact{
		Type: "x", Bytes: program, Logger: hclog.NewNullLogger(),
		Limits: host.Limits{Memory: 64 * host.MiB, Output: host.MiB, Timeout: time.Minute, Concurrency: 8},
	}
}

// load loads a plugin that is closed when the test ends.
func load(t testing.TB, r *process.Runtime, a host.Artifact) host.Plugin {
	t.Helper()
	p, err := r.Load(t.Context(), a)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close(context.Background())) })
	return p
}

// hostile loads the hostile plugin.
func hostile(t testing.TB) host.Plugin {
	t.Helper()
	return load(t, newRuntimeWith(t, process.Config{}), artifact(program(t, hostilePackage, "")))
}

// order is the hostile plugin's task data.
type order struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	N    int    `json:"n,omitempty"`
}

// do runs the plugin and returns its result.
func do(ctx context.Context, p host.Plugin, c host.Caller, o order) (json.RawMessage, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	request, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON}, data)
	if err != nil {
		return nil, err
	}
	frame, err := p.Handle(ctx, request, c)
	if err != nil {
		return nil, err
	}
	var response wire.Response
	result, err := wire.Decode(frame, &response)
	if err == nil && response.Error != nil {
		err = response.Error
	}
	return result, err
}

// result demands success.
func result(t testing.TB, p host.Plugin, o order) string {
	t.Helper()
	out, err := do(t.Context(), p, &caller{}, o)
	require.NoError(t, err)
	return string(out)
}

func failureOf(t testing.TB, err error) *core.Failure {
	t.Helper()
	var f *core.Failure
	require.ErrorAs(t, err, &f)
	return f
}

// caller is a host.Caller that answers every operation with nothing, or an
// error, and keeps what the program wrote.
type caller struct {
	err error

	mu      sync.Mutex
	output  []byte
	written int
}

func (c *caller) Call(context.Context, string, []byte) ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	return wire.Encode(wire.Reply{}, nil)
}

func (c *caller) Output(_ host.Stream, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written += len(p)
	c.output = append(c.output, p[:min(len(p), max(0, 1<<16-len(c.output)))]...)
}

func (*caller) Computed(time.Duration) {}

func (c *caller) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.output)
}
