package memory_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

// One execution from its plan to its end, beside a history of some length: the
// figures must not grow with it.
func BenchmarkLife(b *testing.B) {
	for _, history := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("history=%d", history), func(b *testing.B) {
			clock := coretest.NewClock(b)
			store := memory.NewStore(clock)
			task := coretest.DueAt(coretest.Task(coretest.Overlap(core.OverlapAllow)), clock.Now())
			_, err := store.CreateTask(b.Context(), task, nil)
			require.NoError(b, err)
			for range history {
				live(b, store, clock)
			}
			for b.Loop() {
				live(b, store, clock)
			}
		})
	}
}

func live(b *testing.B, store *memory.Store, clock *coretest.Clock) {
	clock.Advance(time.Minute)
	planned, err := store.PlanDue(b.Context(), 1, planMinute)
	require.NoError(b, err)
	ready, err := store.Ready(b.Context(), 10, nil)
	require.NoError(b, err)
	id := ready.Executions[0].ID
	require.Equal(b, planned.Planned[0].ID, id)
	_, err = store.MarkQueued(b.Context(), []core.QueueMark{{ID: id}})
	require.NoError(b, err)
	claimed, err := store.Claim(b.Context(), []string{id}, "node", time.Minute)
	require.NoError(b, err)
	_, err = store.Finish(b.Context(), []core.Completion{{
		Lease:  core.Lease{ExecutionID: id, Token: claimed[0].Token},
		Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
	}})
	require.NoError(b, err)
}
