package examples_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const goGreeter = "github.com/nexuscore/scheduler/examples/go/greeter"

// greeters are the paths of the readable examples, by language. That in
// JavaScript is tested beside its script.
func greeters(t testing.TB) map[string]string {
	t.Helper()
	paths := map[string]string{"go": hosttest.BuildWASM(t, goGreeter)}
	for _, language := range compiled {
		paths[language] = filepath.Join(language, "greeter.wasm")
	}
	return paths
}

func TestGreeters(t *testing.T) {
	for language, path := range greeters(t) {
		t.Run(language, func(t *testing.T) {
			p := load(t, path)
			frame, err := p.Describe(t.Context())
			require.NoError(t, err)
			var manifest wire.Manifest
			_, err = wire.Decode(frame, &manifest)
			require.NoError(t, err)
			require.Equal(t, "greeter", manifest.Name)
			require.JSONEq(t, `{"name": "Ada"}`, string(manifest.Sample))
			require.NotEmpty(t, manifest.DataSchema)
			greeting, logs := greet(t, p, `{}`)
			require.Equal(t, "hello Ada \"é\"", greeting)
			require.EqualValues(t, 1, logs)
			greeting, _ = greet(t, p, `{"salutation": "Grüß Gott,"}`)
			require.Equal(t, "Grüß Gott, Ada \"é\"", greeting)
		})
	}
}

// BenchmarkGreeter measures a run of the readable examples: a clean state, the
// request, two operations and the response.
func BenchmarkGreeter(b *testing.B) {
	paths := greeters(b)
	paths["javascript"] = buildJavaScript(b, "greeter")
	for language, path := range paths {
		b.Run(language, func(b *testing.B) {
			p := load(b, path)
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				greet(b, p, `{}`)
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "µs-p50")
			info, err := os.Stat(path)
			require.NoError(b, err)
			b.ReportMetric(float64(info.Size())/1024, "KiB")
		})
	}
}

// load loads a module with the default memory.
func load(t testing.TB, path string) host.Plugin {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	p, err := newWASM(t).Load(t.Context(), host.Artifact{
		Type: "greeter", Bytes: b, Logger: hclog.NewNullLogger(),
		Limits: host.Limits{Memory: 64 * host.MiB, Output: host.MiB, Timeout: time.Minute, Concurrency: 1},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close(context.Background())) })
	return p
}

// greet runs a greeter and returns its greeting and how often it logged.
func greet(t testing.TB, p host.Plugin, config string) (greeting string, logs int64) {
	t.Helper()
	request, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON, Execution: wire.Execution{ID: "execution-1"}}, []byte(`{"name": "Ada \"é\""}`))
	require.NoError(t, err)
	desk := &desk{config: config}
	frame, err := p.Handle(t.Context(), request, desk)
	require.NoError(t, err)
	var response wire.Response
	payload, err := wire.Decode(frame, &response)
	require.NoError(t, err)
	require.Nil(t, response.Error)
	var result struct{ Greeting string }
	require.NoError(t, json.Unmarshal(payload, &result))
	return result.Greeting, desk.logs.Load()
}

// desk is a host.Caller that knows the greeters' two operations.
type desk struct {
	config string
	logs   atomic.Int64
}

// Call implements host.Caller.
func (d *desk) Call(_ context.Context, op string, _ []byte) ([]byte, error) {
	switch op {
	case wire.OpConfig:
		return wire.Encode(wire.Reply{Value: json.RawMessage(d.config)}, nil)
	case wire.OpLog:
		d.logs.Add(1)
		return wire.Encode(wire.Reply{}, nil)
	}
	return wire.Encode(wire.Reply{Error: &wire.Error{Kind: wire.Permanent, Message: "unexpected " + op}}, nil)
}

// Output implements host.Caller.
func (d *desk) Output(host.Stream, []byte) {}

// Computed implements host.Caller.
func (d *desk) Computed(time.Duration) {}
