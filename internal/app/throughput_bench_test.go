package app_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// noop is an invoker whose work is done at once. It says when an execution has
// ended.
type noop struct{}

func (noop) Invoke(context.Context, core.Invocation) (core.Outcome, error) {
	return core.Outcome{Plugin: "noop@1.0.0"}, nil
}

// counting counts the executions that have ended.
type counting struct{ ended chan struct{} }

func (c counting) Observe(e core.Event) {
	if e.Kind == core.EventFinished {
		c.ended <- struct{}{}
	}
}

// BenchmarkEngine measures executions a second of work that takes no time, from
// pending to history, on SQLite: without limits, and with those that let
// everything through.
func BenchmarkEngine(b *testing.B) {
	unlimited := func(*core.TaskSpec) {}
	key := func(s *core.TaskSpec) { s.ConcurrencyKey, s.MaxConcurrency = "channel:1", 10_000 }
	rate := func(s *core.TaskSpec) {
		s.RateLimit = &core.RateLimit{Key: "channel:1", Limit: 1_000_000, PerMs: 1000}
	}
	all := func(s *core.TaskSpec) { key(s); rate(s) }
	for _, slots := range []int{10, 100} {
		for _, c := range []struct {
			name   string
			option func(*core.TaskSpec)
			limit  int // of the type
		}{
			{"none", unlimited, 0}, {"type", unlimited, 10_000}, {"key", key, 0}, {"rate", rate, 0}, {"all", all, 10_000},
		} {
			b.Run(fmt.Sprintf("slots=%d/limits=%s", slots, c.name), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					const n = 5000
					took := drain(b, n, slots, c.limit, c.option)
					b.ReportMetric(n/took.Seconds(), "executions/s")
					b.StartTimer()
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// drain lets an engine run n executions that wait, and tells how long it took.
func drain(b *testing.B, n, slots, limit int, option func(*core.TaskSpec)) time.Duration {
	b.Helper()
	clock := core.SystemClock{}
	store, err := sqlstore.OpenSQLite(b.Context(), sqlstore.SQLiteConfig{Path: filepath.Join(b.TempDir(), "scheduler.db"), Clock: clock})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Close()) }()
	store.LimitTypes(func(string) int { return limit })
	for range 20 {
		task, err := store.CreateTask(b.Context(), coretest.Task(option, coretest.Overlap(core.OverlapAllow)), nil)
		require.NoError(b, err)
		for range n / 20 {
			_, _, err = store.CreateExecution(b.Context(), coretest.Execution(task), nil)
			require.NoError(b, err)
		}
	}
	queue := memory.NewQueue(1000)
	defer func() { require.NoError(b, queue.Close()) }()
	observer := counting{ended: make(chan struct{}, n)}
	e, err := engine.New(engine.Config{
		Store: store, Queue: queue, Locker: memory.NewLocker(clock), Limiter: memory.NewLimiter(clock),
		Invoker: noop{}, Signals: memory.NewSignals(), Observer: observer, Owner: "bench", Concurrency: slots,
	})
	require.NoError(b, err)
	begin := time.Now()
	require.NoError(b, e.Start())
	for range n {
		<-observer.ended
	}
	took := time.Since(begin)
	e.Stop(b.Context())
	return took
}
