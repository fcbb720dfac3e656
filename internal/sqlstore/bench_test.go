package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

// BenchmarkClaimFinish moves executions from pending to history: a claim and a
// finish of each batch, both synced to disk. It reports executions a second.
func BenchmarkClaimFinish(b *testing.B) {
	for _, batch := range []int{10, 100} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) { benchmarkClaimFinish(b, batch) })
	}
}

func benchmarkClaimFinish(b *testing.B, batch int) {
	s := openStore(b, filepath.Join(b.TempDir(), "scheduler.db"), core.SystemClock{})
	for b.Loop() {
		b.StopTimer()
		ids := plant(b, s, batch)
		b.StartTimer()

		claimed, err := s.Claim(b.Context(), ids, "node-a", time.Minute)
		require.NoError(b, err)
		require.Len(b, claimed, batch)
		done := make([]core.Completion, batch)
		for i, e := range claimed {
			done[i] = core.Completion{
				Lease: core.Lease{ExecutionID: e.ID, Token: e.Token},
				Settle: func(now time.Time, e *core.Execution) {
					e.Succeed(core.Outcome{Plugin: "test@1.0.0", Result: []byte(`{"ok":true}`)}, now)
				},
			}
		}
		finished, err := s.Finish(b.Context(), done)
		require.NoError(b, err)
		require.True(b, finished[batch-1].Applied)
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "executions/s")
}

// plant plans an execution each of as many new tasks and returns their ids.
func plant(b *testing.B, s core.Store, n int) []string {
	b.Helper()
	for range n {
		_, err := s.CreateTask(b.Context(), coretest.DueAt(coretest.Task(), time.Now()), nil)
		require.NoError(b, err)
	}
	report, err := s.PlanDue(b.Context(), n, func(now time.Time, d core.DueTask) core.Plan {
		return core.Plan{Executions: []core.Execution{core.NewExecution(d.Task, core.TriggerSchedule, now, now, now)}}
	})
	require.NoError(b, err)
	ids := make([]string, n)
	for i, e := range report.Planned {
		ids[i] = e.ID
	}
	return ids
}
