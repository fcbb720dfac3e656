//go:build linux

package process_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/process"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const jsonEcho = "github.com/nexuscore/scheduler/host/hosttest/jsonecho"

const benchmarkOrder = `{"runId": "0123456789abcdef", "attempt": 2, "config": {"url": "https://example.com/api", "mode": "full"}, "payload": {"note": ` +
	`"a note of some length that says nothing in particular, but says it at length, so that the request is as long as many are in the wild", ` +
	`"items": ["one", "two", "three", "four", "five"], "price": 12.5}}`

// BenchmarkRuntimes runs one Go program that reads and writes JSON in turn in
// its three forms: a module, a process that stays, and a process per run. What
// a warm process and a new one cost beside a module are the ratios.
func BenchmarkRuntimes(b *testing.B) {
	modules, err := wasm.New(wasm.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, modules.Close(context.Background())) })
	module, err := os.ReadFile(hosttest.BuildWASM(b, jsonEcho))
	require.NoError(b, err)
	native := artifact(program(b, jsonEcho, ""))
	perRun := native
	perRun.Init = host.InitPerRun
	processes := newRuntimeWith(b, process.Config{})

	inModule, err := modules.Load(b.Context(), artifact(module))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, inModule.Close(context.Background())) })
	ways := []struct {
		name   string
		plugin host.Plugin
		rounds int
	}{
		{"wasm", inModule, 25},
		{"warm", load(b, processes, native), 25},
		{"per-run", load(b, processes, perRun), 2},
	}
	in, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON}, []byte(benchmarkOrder))
	require.NoError(b, err)
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, w := range ways {
			for range w.rounds {
				start := time.Now()
				_, err := w.plugin.Handle(b.Context(), in, &caller{})
				took[w.name] = append(took[w.name], time.Since(start))
				require.NoError(b, err)
			}
		}
	}
	p50 := map[string]float64{}
	for _, w := range ways {
		slices.Sort(took[w.name])
		p50[w.name] = float64(took[w.name][len(took[w.name])/2].Nanoseconds()) / 1000
		b.ReportMetric(p50[w.name], "µs-"+w.name)
	}
	b.ReportMetric(p50["warm"]/p50["wasm"], "warm/wasm")
	b.ReportMetric(p50["per-run"]/p50["wasm"], "per-run/wasm")
	b.ReportMetric(p50["per-run"]/p50["warm"], "per-run/warm")
}
