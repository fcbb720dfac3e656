package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

func misfireAll(s *core.TaskSpec) {
	s.Misfire.Policy, s.Overlap = core.MisfireAll, core.OverlapQueueAll
}

// A backfill of what a paused task owes takes it over: when the task goes on,
// nothing runs again.
func TestABackfillTakesOverWhatAPausedTaskOwes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		task := w.task(every(time.Minute), misfireAll)
		begin := task.CreatedAt
		time.Sleep(3*time.Minute + time.Second)
		_, err := w.scheduler.PauseTask(context.Background(), task.ID, "break")
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		late, err := w.scheduler.Backfill(context.Background(), task.ID,
			core.BackfillRequest{From: begin.Add(8 * time.Minute), To: begin.Add(10 * time.Minute)}, nil)
		require.NoError(t, err)
		for _, o := range late.Occurrences {
			require.Contains(t, o.Skipped, "the schedule still owes it", "the range leaves a gap")
		}
		report, err := w.scheduler.Backfill(context.Background(), task.ID,
			core.BackfillRequest{From: begin, To: begin.Add(10 * time.Minute), PerMinute: 600}, nil)
		require.NoError(t, err)
		require.Len(t, report.Occurrences, 10)
		time.Sleep(30 * time.Second)
		_, err = w.scheduler.ResumeTask(context.Background(), task.ID)
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		stop(e, time.Second)
		seen := map[time.Time]int{}
		for _, c := range j.all() {
			seen[c.in.NominalTime]++
		}
		for at, n := range seen {
			require.Equal(t, 1, n, "%s", at)
		}
		for at := begin; at.Before(begin.Add(18 * time.Minute)); at = at.Add(time.Minute) {
			require.Equal(t, 1, seen[at], "%s", at)
		}
	})
}

// What comes due while a long backfill runs does not wait for it, however long
// the backfill has waited.
func TestABackfillGoesBehindEverythingElse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(taking(10*time.Second)), func(c *engine.Config) { c.Concurrency = 1 })
		old := w.task(every(time.Minute), func(s *core.TaskSpec) { s.Misfire.Policy = core.MisfireSkip })
		begin := old.CreatedAt
		time.Sleep(16 * time.Hour)
		spec := old.TaskSpec
		spec.Enabled = false
		_, err := w.scheduler.UpdateTask(context.Background(), old.ID, core.AnyVersion, spec)
		require.NoError(t, err)
		again, err := w.scheduler.Backfill(context.Background(), old.ID,
			core.BackfillRequest{From: begin, To: begin.Add(16 * time.Hour), DryRun: true}, nil)
		require.NoError(t, err)
		require.Len(t, again.Occurrences, 960)
		fresh := w.task(named("backfilled"), every(time.Minute), func(s *core.TaskSpec) { s.StartAt = &begin })
		_, err = w.scheduler.Backfill(context.Background(), fresh.ID, core.BackfillRequest{
			From: begin, To: begin.Add(16 * time.Hour), Overlap: core.OverlapAllow, PerMinute: 6000,
		}, nil)
		require.NoError(t, err)
		time.Sleep(30 * time.Minute)
		now := w.execute(w.task(named("fresh")))
		time.Sleep(time.Minute)
		require.LessOrEqual(t, w.execution(now.ID).StartTime.Sub(now.CreatedAt), 20*time.Second)
		stop(e, 0)
	})
}

func TestABackfillComesDueAtItsRate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		begin := time.Now().Add(-time.Hour)
		task := w.task(every(time.Minute), func(s *core.TaskSpec) { s.StartAt = &begin })
		e := w.node(j.record(instantly))
		_, err := w.scheduler.Backfill(context.Background(), task.ID,
			core.BackfillRequest{From: begin, To: begin.Add(time.Hour), PerMinute: 6, Overlap: core.OverlapAllow}, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute - time.Second)
		ran := func() (n int) {
			for _, c := range j.all() {
				if c.in.Trigger == core.TriggerBackfill {
					n++
				}
			}
			return n
		}
		require.Equal(t, 6, ran(), "one at once, then one each ten seconds")
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Equal(t, 60, ran())
	})
}

func TestABackfillWithAKeyIsPlannedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begin := time.Now().Add(-10 * time.Minute)
		task := w.task(every(time.Minute), func(s *core.TaskSpec) { s.StartAt = &begin })
		request := core.BackfillRequest{From: begin, To: begin.Add(5 * time.Minute)}
		key := &core.Idempotency{Key: "k", Fingerprint: "a"}
		first, err := w.scheduler.Backfill(context.Background(), task.ID, request, key)
		require.NoError(t, err)
		require.NotEmpty(t, first.Occurrences[0].ExecutionID)
		second, err := w.scheduler.Backfill(context.Background(), task.ID, request, key)
		require.ErrorIs(t, err, core.ErrReplayed)
		require.Len(t, second.Occurrences, 5)
		require.Len(t, w.history(task.ID), 5)
		_, err = w.scheduler.Backfill(context.Background(), task.ID, request, &core.Idempotency{Key: "k", Fingerprint: "b"})
		require.ErrorIs(t, err, core.ErrIdempotencyReuse)
	})
}

// Several that ask at once, without a key, plan each time once.
func TestBackfillsAtOncePlanEachTimeOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begin := time.Now().Add(-5 * time.Hour)
		task := w.task(every(time.Minute), func(s *core.TaskSpec) { s.StartAt = &begin })
		done := make(chan error)
		for range 3 {
			go func() {
				_, err := w.scheduler.Backfill(context.Background(), task.ID,
					core.BackfillRequest{From: begin, To: begin.Add(4 * time.Hour), Overlap: core.OverlapAllow}, nil)
				done <- err
			}()
		}
		for range 3 {
			require.NoError(t, <-done)
		}
		require.Len(t, w.history(task.ID), 240)
	})
}
