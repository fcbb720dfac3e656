package wasm_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/wasm"
)

// spin is a module that counts down from a number, about a third of a second,
// and answers.
func spin() []byte {
	a := assembled()
	a.extra = code(i64Const(400_000_000), []byte{opLocalSet, 1, opLoop, 0x40, opLocalGet, 1}, i64Const(1),
		[]byte{opI64Sub, opLocalTee, 1, opI64Eqz, opI32Eqz, opBrIf, 0, opEnd}, i32Const(0))
	a.extraLocals = []byte{1, 1, 0x7e}
	a.handle = code(i32Const(0), []byte{opCall, 3, opDrop}, okay)
	return a.bytes()
}

// computing runs twice as many computing modules as there are processors, and
// a collection in their midst.
func computing(t testing.TB, run func(context.Context) error) func() {
	return func() {
		var all sync.WaitGroup
		for range 2 * runtime.GOMAXPROCS(0) {
			all.Go(func() {
				if err := run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		runtime.GC()
		all.Wait()
	}
}

// A computing module must not silence the server. Without yields the server is
// silent as long as the modules compute, for more than 200 ms, which shows that
// the test can tell.
func TestHeartbeatGoesOnWhileModulesCompute(t *testing.T) {
	pulse, p := hosttest.NewPulse(t), load(t, newRuntime(t), spin())
	pulse.Keeps(t, computing(t, func(ctx context.Context) error {
		_, err := p.Handle(ctx, nil, &caller{})
		return err
	}))
	if testing.Short() {
		return
	}
	const bound, tries = 200 * time.Millisecond, 8
	free := load(t, newRuntimeWith(t, wasm.Config{Computing: 2 * runtime.GOMAXPROCS(0)}), spin())
	unprotected := time.Duration(0)
	for try := 0; try < tries && unprotected <= bound; try++ { // another program on the machine may break it up
		server, machine := pulse.During(t, computing(t, func(ctx context.Context) error { return wasm.Unstoppable(ctx, free, nil, &caller{}) }))
		t.Logf("without yields silent for %v, the machine for %v", server, machine)
		unprotected = max(unprotected, server-machine)
	}
	require.Greater(t, unprotected, bound, "the modules were too short to prove anything")
}

func BenchmarkHeartbeat(b *testing.B) {
	p := load(b, newRuntime(b), spin())
	for name, run := range map[string]func(context.Context) error{
		"protected":   func(ctx context.Context) error { _, err := p.Handle(ctx, nil, &caller{}); return err },
		"unprotected": nil,
	} {
		b.Run(name, func(b *testing.B) {
			if run == nil {
				free := load(b, newRuntimeWith(b, wasm.Config{Computing: 2 * runtime.GOMAXPROCS(0)}), spin())
				run = func(ctx context.Context) error { return wasm.Unstoppable(ctx, free, nil, &caller{}) }
			}
			var worst []time.Duration
			for b.Loop() {
				worst = append(worst, hosttest.Silence(computing(b, run)))
			}
			slices.Sort(worst)
			b.ReportMetric(float64(worst[len(worst)/2].Microseconds())/1000, "ms-silent-p50")
			b.ReportMetric(float64(worst[len(worst)-1].Microseconds())/1000, "ms-silent-max")
		})
	}
}

// overshoot is how late a module that never ends is ended.
func overshoot(t testing.TB, p host.Plugin, r []byte) time.Duration {
	const allowed = 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), allowed)
	defer cancel()
	start := time.Now()
	_, err := p.Handle(ctx, r, &caller{})
	took := time.Since(start)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	return took - allowed
}

// A run whose deadline is over goes on no more, also when the timer of its context
// has not come to it yet.
func TestARunEndsAtItsDeadlineThoughTheTimerIsLate(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("late")
	time.AfterFunc(20*time.Millisecond, func() { cancel(reason) })
	require.ErrorIs(t, wasm.YieldLate(ctx), reason)
}

// endless are modules that never end: by a loop, and by recursion without any.
func endless() map[string][]byte {
	loop := assembled()
	loop.handle = code([]byte{opLoop, 0x40, opBr, 0, opEnd}, okay)
	return map[string][]byte{"loop": loop.bytes(), "recursion": recursion()}
}

func TestEndlessModulesEndAtTheirDeadline(t *testing.T) {
	r := newRuntime(t)
	for name, b := range endless() {
		t.Run(name, func(t *testing.T) {
			p := load(t, r, b)
			for range 5 {
				require.Less(t, overshoot(t, p, make([]byte, 60)), time.Second)
			}
			if name == "recursion" { // an empty request ends it at once
				_, err := p.Handle(t.Context(), nil, &caller{})
				require.NoError(t, err, "the instance is as good as new")
			}
		})
	}
}

// Fills and copies of all the memory end in time, too: they are done in pieces.
func TestLargeFillsEndAtTheirDeadline(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	a := assembled()
	a.memory = append([]byte{0}, uleb(1000)...)
	fill := code(i32Const(0), i32Const(1), i32Const(1000*65536), []byte{opPrefix, 11, 0})
	a.handle = code([]byte{opLoop, 0x40}, fill, fill, fill, fill, fill, fill, []byte{opBr, 0, opEnd}, okay)
	art := artifact(a.bytes())
	art.Limits.Memory = 64 * host.MiB
	p, err := newRuntime(t).Load(t.Context(), art)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close(context.Background())) }()
	require.Less(t, overshoot(t, p, nil), time.Second)
}

// emptyWrites calls fd_write again and again, with as many empty pieces of memory
// as there is room for.
func emptyWrites() []byte {
	a := assembled()
	a.imports = []string{importFunction("wasi_snapshot_preview1", "fd_write", typeCall)}
	a.memory = []byte{0, 16}
	a.handle = code([]byte{opLoop, 0x40}, i32Const(1), i32Const(1024), i32Const(65536), i32Const(512), []byte{opCall, 0, opDrop, opBr, 0, opEnd}, okay)
	return a.bytes()
}

// What the system does for a module counts as what the module does: a slice of
// fuel stays a short time, and the module ends at its deadline.
func TestEmptyWritesAreCharged(t *testing.T) {
	p := load(t, newRuntime(t), emptyWrites())
	require.Less(t, overshoot(t, p, nil), time.Second)
	require.Less(t, overshoot(t, p, nil), time.Second)
}

// A call costs what it looks at or makes, and a write looks at 1024 pieces.
func TestSystemCallsCostWhatTheyDo(t *testing.T) {
	require.EqualValues(t, 8*10, wasm.Charged(t.Context(), "fd_write", 1, 1024, 10, 512))
	require.EqualValues(t, 8*1024, wasm.Charged(t.Context(), "fd_write", 1, 1024, 65536, 512))
	require.EqualValues(t, 4096, wasm.Charged(t.Context(), "random_get", 1024, 64<<10))
}

// BenchmarkKill ends modules that do not end by themselves, a hundred times in
// each of its iterations. What the machine meanwhile did to a process that does
// nothing tells what the figures are worth.
func BenchmarkKill(b *testing.B) {
	r, pulse := newRuntime(b), hosttest.NewPulse(b)
	for name, m := range endless() {
		b.Run(name, func(b *testing.B) {
			p := load(b, r, m)
			var late []time.Duration
			noise := time.Duration(0)
			for b.Loop() {
				_, machine := pulse.During(b, func() {
					for range 100 {
						late = append(late, overshoot(b, p, make([]byte, 60)))
					}
				})
				noise = max(noise, machine)
			}
			slices.Sort(late)
			b.ReportMetric(float64(late[len(late)/2].Microseconds()), "µs-late-p50")
			b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "µs-late-p99")
			b.ReportMetric(float64(noise.Microseconds()), "µs-machine-max")
		})
	}
}
