package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// benchmark runs a step on both databases, several sizes of a batch and, where
// nodes can work side by side, several at a time. It reports executions a second.
func benchmark(b *testing.B, step func(n *benchNode) (timed, untimed func())) {
	for _, database := range []struct {
		name    string
		open    func(b *testing.B) *sqlstore.Store
		workers []int
	}{
		{"sqlite", func(b *testing.B) *sqlstore.Store {
			return openStore(b, filepath.Join(b.TempDir(), "scheduler.db"), core.SystemClock{})
		}, []int{1}},
		{"postgres", func(b *testing.B) *sqlstore.Store {
			return sqlstore.OpenTestPostgres(b, sqlstore.EmptyTestDatabase(b), nil).Store
		}, []int{1, 4}},
	} {
		for _, workers := range database.workers {
			for _, batch := range []int{10, 100, 500} {
				b.Run(fmt.Sprintf("%s/workers=%d/batch=%d", database.name, workers, batch), func(b *testing.B) {
					s := database.open(b)
					nodes := make([]*benchNode, workers)
					for i := range nodes {
						nodes[i] = newBenchNode(b, s, batch)
					}
					b.ResetTimer()
					for b.Loop() {
						timed, untimed := make([]func(), workers), make([]func(), workers)
						for i, n := range nodes {
							timed[i], untimed[i] = step(n)
						}
						together(timed)
						b.StopTimer()
						together(untimed)
						b.StartTimer()
					}
					b.ReportMetric(float64(b.N*batch*workers)/b.Elapsed().Seconds(), "executions/s")
				})
			}
		}
	}
}

func together(steps []func()) {
	var g sync.WaitGroup
	for _, step := range steps {
		g.Go(step)
	}
	g.Wait()
}

// benchNode has as many tasks as a batch, which are always due.
type benchNode struct {
	b     *testing.B
	s     *sqlstore.Store
	batch int
	ids   []string
}

func newBenchNode(b *testing.B, s *sqlstore.Store, batch int) *benchNode {
	b.Helper()
	for range batch {
		_, err := s.CreateTask(b.Context(), coretest.DueAt(coretest.Task(coretest.Overlap(core.OverlapAllow)), time.Now().Add(-24*time.Hour)), nil)
		require.NoError(b, err)
	}
	return &benchNode{b: b, s: s, batch: batch}
}

// plan plans one occurrence of each of a batch of tasks. Others may plan at the
// same time, so it takes what it gets until it has enough.
func (n *benchNode) plan() {
	n.ids = n.ids[:0]
	for len(n.ids) < n.batch {
		report, err := n.s.PlanDue(n.b.Context(), n.batch-len(n.ids), func(now time.Time, d core.DueTask) core.Plan {
			next := d.Task.NextRun.Add(time.Millisecond)
			return core.Plan{
				NextRun: &next, State: core.PlanState{NextNominal: &next},
				Executions: []core.Execution{core.NewExecution(d.Task, core.TriggerSchedule, *d.Task.NextRun, *d.Task.NextRun, now)},
			}
		})
		if err != nil {
			n.b.Error(err)
			return
		}
		for _, e := range report.Planned {
			n.ids = append(n.ids, e.ID)
		}
	}
}

// work claims what was planned and ends it.
func (n *benchNode) work() {
	claimed, err := n.s.Claim(n.b.Context(), n.ids, "node-a", time.Minute)
	if err != nil || len(claimed) != n.batch {
		n.b.Error(len(claimed), err)
		return
	}
	done := make([]core.Completion, n.batch)
	for i, e := range claimed {
		done[i] = core.Completion{
			Lease: core.Lease{ExecutionID: e.ID, Token: e.Token},
			Settle: func(now time.Time, e *core.Execution) {
				e.Succeed(core.Outcome{Plugin: "test@1.0.0", Result: []byte(`{"ok":true}`)}, now)
			},
		}
	}
	finished, err := n.s.Finish(n.b.Context(), done)
	if err != nil || !finished[n.batch-1].Applied {
		n.b.Error(err)
	}
}

// BenchmarkPlan makes executions of due tasks and moves the tasks on.
func BenchmarkPlan(b *testing.B) {
	benchmark(b, func(n *benchNode) (timed, untimed func()) { return n.plan, n.work })
}

// BenchmarkClaimFinish moves executions from pending to history: a claim and a
// finish of each batch, both synced to disk.
func BenchmarkClaimFinish(b *testing.B) {
	benchmark(b, func(n *benchNode) (timed, untimed func()) {
		b := n.b
		b.StopTimer()
		n.plan()
		b.StartTimer()
		return n.work, func() {}
	})
}
