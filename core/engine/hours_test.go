package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/core/schedule"
)

// window is an option of tasks: an execution window in UTC.
func window(start, end string) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.ExecutionWindows = []schedule.Window{{Start: start, End: end}} }
}

// Time in a bubble begins at midnight UTC on 2000-01-01.

func TestARetryWaitsForTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(failing(core.Failure{Class: core.ClassRetryable})))
		w.task(cron("50 0 * * *"), window("00:00", "01:00"), policy(func(p *core.Policy) {
			p.RetryPolicy.Attempts, p.RetryPolicy.Delay = 2, core.MillisOf(20*time.Minute)
		}))
		time.Sleep(26 * time.Hour)
		stop(e, time.Second)
		calls := j.all()
		require.GreaterOrEqual(t, len(calls), 2)
		require.Equal(t, "00:50", calls[0].at.UTC().Format("15:04"))
		require.Equal(t, "2000-01-02 00:00", calls[1].at.UTC().Format("2006-01-02 15:04"), "01:10 is outside the window")
	})
}

func TestALongQueueDoesNotCarryWorkOutOfItsWindow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(taking(20*time.Minute)), func(c *engine.Config) { c.Concurrency, c.Receivers = 1, 1 })
		for range 5 {
			w.task(cron("0 1 * * *"), window("01:00", "02:00"), timeout(time.Hour))
		}
		time.Sleep(24 * time.Hour)
		for _, c := range j.all() {
			require.Equal(t, 1, c.at.UTC().Hour(), "started at %s", c.at.UTC())
		}
		require.Len(t, j.all(), 3)
		time.Sleep(24 * time.Hour)
		for _, c := range j.all() {
			require.Equal(t, 1, c.at.UTC().Hour())
			require.Equal(t, 1, c.in.Attempt, "waiting for the window is no attempt")
		}
		stop(e, 0)
	})
}

func TestWhatPeopleAskForIgnoresTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly)
		x := w.execute(w.task(cron("0 12 * * *"), window("12:00", "13:00")))
		time.Sleep(time.Second)
		require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
		stop(e, time.Second)
	})
}

func TestPauseAndResume(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly)
		task := w.task(every(time.Minute))
		time.Sleep(2*time.Minute + time.Second)
		_, err := w.scheduler.PauseTask(context.Background(), task.ID, "stream is off")
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		require.Len(t, w.history(task.ID), 2)
		w.execute(task)
		time.Sleep(time.Second)
		require.Len(t, w.history(task.ID), 3, "by hand it still runs")

		task, err = w.scheduler.ResumeTask(context.Background(), task.ID)
		require.NoError(t, err)
		require.Nil(t, task.PauseReason)
		time.Sleep(2 * time.Minute)
		var missed, ran int
		for _, x := range w.history(task.ID) {
			switch x.Status {
			case core.StatusMissed:
				missed++
			case core.StatusSucceeded:
				ran++
			default:
				t.Fatalf("unexpected %s", x.Status)
			}
		}
		require.Equal(t, 9, missed, "what came due meanwhile is a misfire: the latest ran")
		require.Equal(t, 3+1+2, ran)
		stop(e, time.Second)
	})
}

func TestFailuresInARowPauseATask(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(failing(core.Failure{Class: core.ClassPermanent, Message: "token expired"}))
		task := w.task(every(time.Minute), policy(func(p *core.Policy) { p.PauseAfterFailures = 3 }))
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Len(t, w.history(task.ID), 3)
		task, err := w.scheduler.Task(context.Background(), task.ID)
		require.NoError(t, err)
		require.Equal(t, "3 executions in a row have failed; the last one: token expired", *task.PauseReason)
	})
}

func TestBackfill(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		task := w.task(every(time.Minute))
		e := w.node(j.record(instantly))
		time.Sleep(3*time.Minute + time.Second) // three have run
		_, err := w.scheduler.PauseTask(context.Background(), task.ID, "")
		require.NoError(t, err)
		time.Sleep(7 * time.Minute)

		begin := task.CreatedAt
		request := core.BackfillRequest{From: begin, To: begin.Add(6 * time.Minute), DryRun: true}
		dry, err := w.scheduler.Backfill(context.Background(), task.ID, request, nil)
		require.NoError(t, err)
		require.Len(t, w.history(task.ID), 3, "a dry run plans nothing")
		request.DryRun = false
		report, err := w.scheduler.Backfill(context.Background(), task.ID, request, nil)
		require.NoError(t, err)
		require.Len(t, report.Occurrences, 6, "its anchor is an occurrence too")
		for i, o := range report.Occurrences {
			require.Equal(t, dry.Occurrences[i].Nominal, o.Nominal, "the dry run is exact")
			require.Equal(t, dry.Occurrences[i].Skipped, o.Skipped)
			require.Equal(t, i >= 1 && i <= 3, o.Skipped != "", "those that ran are left out")
		}
		time.Sleep(time.Minute)
		again, err := w.scheduler.Backfill(context.Background(), task.ID, request, nil)
		require.NoError(t, err)
		for _, o := range again.Occurrences {
			require.NotEmpty(t, o.Skipped, "a second backfill has nothing left to do")
		}
		var nominal []time.Time
		for _, c := range j.all()[3:] {
			require.Equal(t, core.TriggerBackfill, c.in.Trigger)
			nominal = append(nominal, c.in.NominalTime)
		}
		require.Equal(t, []time.Time{begin, begin.Add(4 * time.Minute), begin.Add(5 * time.Minute)}, nominal, "oldest first")
		stop(e, time.Second)
	})
}

func TestBackfillIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		task, manual := w.task(every(time.Second)), w.task()
		begin := time.Now()
		time.Sleep(2 * time.Hour)
		for name, c := range map[string]struct {
			id   string
			from time.Time
			to   time.Time
		}{
			"too many":   {task.ID, begin, begin.Add(time.Hour)},
			"backwards":  {task.ID, begin.Add(time.Minute), begin},
			"the future": {task.ID, begin, begin.Add(100 * time.Hour)},
			"no times":   {manual.ID, begin, begin.Add(time.Minute)},
		} {
			_, err := w.scheduler.Backfill(context.Background(), c.id, core.BackfillRequest{From: c.from, To: c.to}, nil)
			require.Equal(t, core.CodeValidationFailed, core.CodeOf(err), name)
		}
	})
}
