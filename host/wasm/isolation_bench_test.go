package wasm_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm"
)

const order = `{"runId": "0123456789abcdef", "attempt": 2, "config": {"url": "https://example.com/api", "mode": "full"}, "payload": {"note": ` +
	`"a note of some length that says nothing in particular, but says it at length, so that the request is as long as many are in the wild", ` +
	`"items": ["one", "two", "three", "four", "five"], "price": 12.5}}`

// BenchmarkIsolation runs a Go program that reads and writes JSON, in turn in a
// clean state on a kept instance, on a kept instance that is never reset, and
// on a new instance of its own. What a clean state costs is the first ratio,
// what keeping instances saves the second.
func BenchmarkIsolation(b *testing.B) {
	r := newRuntime(b)
	p := loadGuest(b, r, jsonEcho)
	a := host.Artifact{Bytes: guest(b, jsonEcho), Logger: hclog.NewNullLogger(), Init: host.InitPerRun, Limits: host.Limits{Memory: 64 * host.MiB, Output: host.MiB, CPU: 10 * time.Second}}
	fresh, err := r.Load(b.Context(), a)
	require.NoError(b, err)
	defer closed(b, fresh)

	in := request(b, order)
	var keep any
	ways := []struct {
		name string
		run  func() ([]byte, error)
	}{
		{"isolated", func() ([]byte, error) { return p.Handle(b.Context(), in, &caller{}) }},
		{"reused", func() (out []byte, err error) {
			out, keep, err = wasm.Unsafe(b.Context(), p, in, &caller{}, keep)
			return
		}},
		{"fresh", func() ([]byte, error) { return fresh.Handle(b.Context(), in, &caller{}) }},
	}
	took := map[string][]time.Duration{}
	var want []byte
	for b.Loop() {
		for _, w := range ways {
			for range 25 {
				start := time.Now()
				out, err := w.run()
				took[w.name] = append(took[w.name], time.Since(start))
				require.NoError(b, err)
				if want == nil {
					want = out
				}
				require.Equal(b, want, out)
			}
		}
	}
	p50, mean := map[string]float64{}, map[string]float64{}
	for _, w := range ways {
		all := took[w.name]
		for _, d := range all {
			mean[w.name] += float64(d.Microseconds()) / float64(len(all))
		}
		slices.Sort(all)
		p50[w.name] = float64(all[len(all)/2].Nanoseconds()) / 1000
		b.ReportMetric(p50[w.name], "µs-"+w.name)
	}
	b.ReportMetric(p50["isolated"]/p50["reused"], "isolated/reused")
	b.ReportMetric(mean["isolated"]/mean["reused"], "isolated/reused-mean")
	b.ReportMetric(p50["fresh"]/p50["isolated"], "fresh/isolated")
}

// BenchmarkIdleMemory measures what an idle instance holds, after a run and
// after it rested.
func BenchmarkIdleMemory(b *testing.B) {
	const instances = 32
	r := newRuntime(b)
	p := loadGuest(b, r, jsonEcho)
	in := request(b, order)
	for b.Loop() {
		before := private(b)
		kept := make([]any, instances)
		for i := range kept {
			_, keep, err := wasm.Unsafe(b.Context(), p, in, &caller{}, nil)
			require.NoError(b, err)
			kept[i] = keep
		}
		for _, k := range kept {
			wasm.Return(p, k)
		}
		after := private(b)
		wasm.RestAll(p)
		rested := private(b)
		b.ReportMetric(float64(after-before)/instances, "KiB/instance")
		b.ReportMetric(float64(rested-before)/instances, "KiB/rested")
		wasm.Rest(p)
		runtime.KeepAlive(kept)
	}
}

// private is the private memory of the process in KiB, garbage not counted.
func private(b *testing.B) int {
	runtime.GC()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Skip("this system does not tell: ", err)
	}
	total := 0
	for line := range bytes.Lines(text) {
		var n int
		if _, err := fmt.Sscanf(string(line), "Private_Dirty: %d kB", &n); err == nil {
			total += n
		}
	}
	return total
}
