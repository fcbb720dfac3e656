package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestADryRunOfABackfillSaysWhatTheBackfillDoes: first dry, then for real, with
// each policy, beside nothing, something that waits and something that runs.
func TestADryRunOfABackfillSaysWhatTheBackfillDoes(t *testing.T) {
	none := func(*world, core.Task) {}
	waiting := func(w *world, task core.Task) {
		_, err := w.Scheduler.Execute(w.ctx, task.ID, nil)
		require.NoError(w.t, err)
	}
	running := func(w *world, task core.Task) {
		e, err := w.Scheduler.Execute(w.ctx, task.ID, nil)
		require.NoError(w.t, err)
		_, err = w.store.Claim(w.ctx, []string{e.ID}, "node", time.Minute)
		require.NoError(w.t, err)
	}
	for beside, prepare := range map[string]func(*world, core.Task){"nothing": none, "waiting": waiting, "running": running} {
		for policy, want := range map[core.OverlapPolicy]map[string]int{ // of five occurrences
			core.OverlapSkip:           {"nothing": 1},
			core.OverlapQueue:          {"nothing": 1, "running": 1},
			core.OverlapQueueAll:       {"nothing": 5, "waiting": 5, "running": 5},
			core.OverlapCancelPrevious: {"nothing": 2, "waiting": 1, "running": 1},
			core.OverlapAllow:          {"nothing": 5, "waiting": 5, "running": 5},
		} {
			t.Run(string(policy)+" beside "+beside, func(t *testing.T) {
				w := newWorld(t)
				task := w.create(every(time.Minute))
				w.clock.now = later(5*time.Minute + time.Second)
				prepare(w, task)
				request := core.BackfillRequest{From: later(time.Second), To: w.clock.now, Overlap: policy, DryRun: true}
				dry, err := w.Scheduler.Backfill(w.ctx, task.ID, request, nil)
				require.NoError(t, err)
				request.DryRun = false
				report, err := w.Scheduler.Backfill(w.ctx, task.ID, request, nil)
				require.NoError(t, err)
				planned := 0
				for i, o := range report.Occurrences {
					require.Equal(t, o.Nominal, dry.Occurrences[i].Nominal)
					require.Equal(t, o.Skipped, dry.Occurrences[i].Skipped)
					if o.Skipped == "" {
						planned++
					}
				}
				require.Len(t, report.Occurrences, 5)
				require.Equal(t, want[beside], planned)
			})
		}
	}
}
