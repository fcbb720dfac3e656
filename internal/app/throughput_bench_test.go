package app_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
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

// limits are what a benchmark puts on the work: an option for the nth task, and
// how many of the type may be queued or run.
type limits struct {
	name   string
	option func(n int) func(*core.TaskSpec)
	ofType int
}

// limitsFor lists the limits for an engine with so many slots. The open ones let
// everything through and cost what the looking costs. The contended ones hold
// some of the work back all the time, though together they leave room for all
// slots.
func limitsFor(slots int) []limits {
	const plenty = 10_000
	none := func(int) func(*core.TaskSpec) { return func(*core.TaskSpec) {} }
	key := func(int) func(*core.TaskSpec) { return coretest.Slots("channel", plenty) }
	keys := func(n int) func(*core.TaskSpec) { return coretest.Slots(fmt.Sprintf("channel:%d", n%4), slots/2) }
	rate := func(int) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) {
			s.RateLimit = &core.RateLimit{Key: "channel", Limit: 1_000_000, PerMs: 1000}
		}
	}
	all := func(n int) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) {
			key(n)(s)
			rate(n)(s)
		}
	}
	return []limits{
		{"type", none, plenty}, {"key", key, 0}, {"rate", rate, 0}, {"all", all, plenty},
		{"type-contended", none, slots}, {"keys-contended", keys, 0},
	}
}

// BenchmarkEngine measures executions a second of work that takes no time, from
// pending to history, on SQLite, with limits and without. Rounds with and
// without alternate, so that a machine that is busy for a while slows both; the
// ratio is the median of the rounds'.
func BenchmarkEngine(b *testing.B) {
	const n, rounds = 2000, 5
	none := limits{option: func(int) func(*core.TaskSpec) { return func(*core.TaskSpec) {} }}
	for _, slots := range []int{10, 100} {
		for _, l := range limitsFor(slots) {
			b.Run(fmt.Sprintf("slots=%d/limits=%s", slots, l.name), func(b *testing.B) {
				var without, with, ratios []float64
				for b.Loop() {
					for range rounds {
						free, limited := n/drain(b, n, slots, none).Seconds(), n/drain(b, n, slots, l).Seconds()
						without, with, ratios = append(without, free), append(with, limited), append(ratios, limited/free)
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(without), "free/s")
				b.ReportMetric(median(with), "limited/s")
				b.ReportMetric(median(ratios), "ratio")
			})
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// drain lets an engine run n executions that wait, and tells how long it took.
func drain(b *testing.B, n, slots int, l limits) time.Duration {
	b.Helper()
	clock := core.SystemClock{}
	store, err := sqlstore.OpenSQLite(b.Context(), sqlstore.SQLiteConfig{Path: filepath.Join(b.TempDir(), "scheduler.db"), Clock: clock})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Close()) }()
	store.LimitTypes(func(string) int { return l.ofType })
	const tasks = 20
	for i := range tasks {
		task := coretest.Task(l.option(i), coretest.Overlap(core.OverlapAllow))
		_, err := store.CreateTask(b.Context(), coretest.DueAt(task, coretest.Epoch()), nil)
		require.NoError(b, err)
	}
	_, err = store.PlanDue(b.Context(), tasks, func(now time.Time, d core.DueTask) core.Plan {
		plan := core.Plan{State: d.Task.Plan}
		for range n / tasks {
			plan.Executions = append(plan.Executions, core.NewExecution(d.Task, core.TriggerManual, now, now, now))
		}
		return plan
	})
	require.NoError(b, err)
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
