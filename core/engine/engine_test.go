package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// bubble runs a test of whole loops in simulated time.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestRecurringStartsExactlyOnTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		begin := time.Now()
		w.task(every(time.Second))
		time.Sleep(10*time.Minute + time.Millisecond)
		stop(e, time.Second)
		calls := j.all()
		require.Len(t, calls, 600)
		for i, c := range calls {
			want := begin.Add(time.Duration(i+1) * time.Second)
			require.True(t, c.at.Equal(want), "call %d at %s, want %s", i, c.at, want)
			require.True(t, c.in.NominalTime.Equal(want))
		}
	})
}

func TestOnceRunsOnceAtItsTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		due := time.Now().Add(2 * time.Second)
		task := w.task(at(due))
		time.Sleep(2*time.Second - time.Nanosecond)
		require.Empty(t, j.all(), "started early")
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Len(t, j.all(), 1)
		require.True(t, j.all()[0].at.Equal(due))
		task, err := w.scheduler.Task(context.Background(), task.ID)
		require.NoError(t, err)
		require.Nil(t, task.NextRun)
		require.NotNil(t, task.LastRun)
	})
}

func TestCronWithSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		w.task(cron("*/15 * * * * *"))
		time.Sleep(time.Minute + time.Millisecond)
		stop(e, time.Second)
		require.Len(t, j.all(), 4)
		for _, c := range j.all() {
			require.Zero(t, c.at.Second()%15)
			require.Zero(t, c.at.Nanosecond())
		}
	})
}

func TestMaxRunsEndsATask(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		task := w.task(every(time.Second), func(s *core.TaskSpec) { s.MaxRuns = 3 })
		time.Sleep(time.Minute)
		stop(e, time.Second)
		require.Len(t, j.all(), 3)
		task, err := w.scheduler.Task(context.Background(), task.ID)
		require.NoError(t, err)
		require.Nil(t, task.NextRun)
	})
}

func TestWhatWasMissedIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		task := w.task(every(time.Minute))
		time.Sleep(5*time.Minute + time.Second) // nobody is there
		e := w.node(instantly)
		time.Sleep(time.Second)
		stop(e, time.Second)
		require.Equal(t, []core.Status{"missed", "missed", "missed", "missed", "succeeded"}, statusesOf(w.history(task.ID)))
	})
}

func TestMisfireAllRunsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		task := w.task(every(time.Minute), overlap(core.OverlapQueueAll), policy(func(p *core.Policy) { p.Misfire.Policy = core.MisfireAll }))
		time.Sleep(5*time.Minute + time.Second)
		e := w.node(instantly)
		time.Sleep(time.Second)
		stop(e, time.Second)
		all := w.history(task.ID)
		require.Equal(t, []core.Status{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, statusesOf(all))
		for i := 1; i < len(all); i++ {
			require.True(t, all[i-1].NominalTime.Before(all[i].NominalTime), "oldest first")
		}
	})
}

func TestAWeekOfMissedSecondsIsOneRow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		task := w.task(every(time.Second))
		time.Sleep(7 * 24 * time.Hour)
		e := w.node(instantly)
		time.Sleep(500 * time.Millisecond)
		stop(e, time.Second)
		all := w.history(task.ID)
		require.Less(t, len(all), 100)
		require.Equal(t, core.StatusSucceeded, all[len(all)-1].Status)
	})
}

func TestOverlap(t *testing.T) {
	cases := map[core.OverlapPolicy]struct {
		statuses []core.Status // of the first five occurrences, after 10.5 s
	}{
		core.OverlapSkip:           {[]core.Status{"succeeded", "skipped", "skipped", "succeeded", "skipped"}},
		core.OverlapQueue:          {[]core.Status{"succeeded", "succeeded", "skipped", "succeeded", "skipped"}},
		core.OverlapQueueAll:       {[]core.Status{"succeeded", "succeeded", "succeeded", "running", "queued"}},
		core.OverlapCancelPrevious: {[]core.Status{"cancelled", "cancelled", "cancelled", "cancelled", "cancelled"}},
		core.OverlapAllow:          {[]core.Status{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}},
	}
	for p, want := range cases {
		t.Run(string(p), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				e := w.node(taking(2500 * time.Millisecond))
				task := w.task(every(time.Second), overlap(p))
				time.Sleep(10*time.Second + 500*time.Millisecond)
				got := statusesOf(w.history(task.ID))[:5]
				for i, s := range got {
					if s == core.StatusPending { // held back or handed over: both wait
						got[i] = core.StatusQueued
					}
				}
				require.Equal(t, want.statuses, got)
				stop(e, 0)
			})
		})
	}
}

func TestOverlapNeverRunsTwoOfAnExclusiveTask(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		running, most := 0, 0
		var j journal
		e := w.node(j.record(func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
			j.mu.Lock()
			running++
			most = max(most, running)
			j.mu.Unlock()
			defer func() {
				j.mu.Lock()
				running--
				j.mu.Unlock()
			}()
			return taking(1500*time.Millisecond)(ctx, in)
		}))
		w.task(every(time.Second), overlap(core.OverlapQueueAll))
		time.Sleep(time.Minute)
		stop(e, 0)
		require.Equal(t, 1, most)
		require.Greater(t, len(j.all()), 38)
	})
}

func TestTwoNodesPlanEachOccurrenceOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		a := w.node(j.record(instantly), func(c *engine.Config) { c.Owner = "a" })
		b := w.node(j.record(instantly), func(c *engine.Config) { c.Owner = "b" })
		for range 20 {
			w.task(every(time.Second))
		}
		time.Sleep(time.Minute + time.Millisecond)
		stop(a, time.Second)
		stop(b, time.Second)
		seen := map[string]bool{}
		for _, c := range j.all() {
			key := c.in.TaskID + c.in.NominalTime.String()
			require.False(t, seen[key], "ran twice: %s", key)
			seen[key] = true
		}
		require.Len(t, seen, 20*60)
	})
}

func TestPriorityGoesFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		for _, p := range []int{1, 9, 5} {
			w.execute(w.task(policy(func(pol *core.Policy) { pol.Priority = p })))
		}
		e := w.node(j.record(taking(time.Second)), func(c *engine.Config) { c.Concurrency, c.Receivers = 1, 1 })
		time.Sleep(10 * time.Second)
		stop(e, time.Second)
		tasks := map[string]int{}
		for _, c := range j.all() {
			task, err := w.scheduler.Task(context.Background(), c.in.TaskID)
			require.NoError(t, err)
			tasks[c.in.TaskID] = task.Priority
		}
		var order []int
		for _, c := range j.all() {
			order = append(order, tasks[c.in.TaskID])
		}
		require.Equal(t, []int{9, 5, 1}, order)
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(taking(time.Second)), func(c *engine.Config) { c.Concurrency = 3 })
		for range 9 {
			w.execute(w.task())
		}
		time.Sleep(2*time.Second + 500*time.Millisecond)
		require.Equal(t, 3, e.Running())
		require.Len(t, j.all(), 9)
		stop(e, time.Minute)
	})
}

func TestConcurrencyKeyIsShared(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(taking(time.Second)))
		for range 6 {
			w.execute(w.task(policy(func(p *core.Policy) { p.ConcurrencyKey, p.MaxConcurrency = "channel:1", 2 })))
		}
		time.Sleep(500 * time.Millisecond)
		require.Len(t, j.all(), 2)
		time.Sleep(time.Second)
		require.Len(t, j.all(), 4)
		time.Sleep(time.Minute)
		require.Len(t, j.all(), 6)
		stop(e, time.Second)
	})
}

func TestRateLimitSpreadsStarts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		for range 5 {
			w.execute(w.task(policy(func(p *core.Policy) {
				p.RateLimit = &core.RateLimit{Key: "discord", Limit: 1, PerMs: 10_000}
			})))
		}
		time.Sleep(39 * time.Second)
		require.Len(t, j.all(), 4)
		time.Sleep(2 * time.Second)
		stop(e, time.Second)
		calls := j.all()
		require.Len(t, calls, 5)
		for i := 1; i < len(calls); i++ {
			require.GreaterOrEqual(t, calls[i].at.Sub(calls[i-1].at), 10*time.Second)
		}
	})
}

func TestJanitorKeepsTheRetention(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly, func(c *engine.Config) { c.Retention.History = time.Hour })
		task := w.task(every(time.Minute))
		time.Sleep(3*time.Hour + 30*time.Second)
		stop(e, time.Second)
		n := len(w.history(task.ID))
		require.True(t, n >= 60 && n <= 62, "%d executions kept of the last hour", n)
	})
}

// TestTheLowestPriorityWaitsABoundedTime keeps a node at ten times its capacity
// with work of the highest priority and looks how long one execution of the
// lowest priority waits. Without aging it would wait for ever.
func TestTheLowestPriorityWaitsABoundedTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(taking(time.Second), func(c *engine.Config) { c.Concurrency, c.Receivers = 1, 1 })
		high := w.task(overlap(core.OverlapAllow), policy(func(p *core.Policy) { p.Priority = 9 }))
		low := w.task(policy(func(p *core.Policy) { p.Priority = 0 }))
		flood := func(seconds int) {
			for range seconds {
				for range 10 {
					w.execute(high)
				}
				time.Sleep(time.Second)
			}
		}
		flood(5)
		x := w.execute(low)
		backlog := 10*5 - 5
		flood(120)
		// In the order of creation it would wait for the backlog. Then come those
		// of the highest priority that were created within MaxOvertaking after it.
		overtaking := int(core.MaxOvertaking.Seconds()) * 10
		time.Sleep(time.Duration(backlog+overtaking-120+5) * time.Second)
		got := w.execution(x.ID)
		require.Equal(t, core.StatusSucceeded, got.Status)
		waited := got.StartTime.Sub(got.CreatedAt)
		require.LessOrEqual(t, waited, time.Duration(backlog+overtaking+5)*time.Second)
		require.Greater(t, waited, time.Duration(backlog)*time.Second, "priority counts for something")
		stop(e, 0)
	})
}
