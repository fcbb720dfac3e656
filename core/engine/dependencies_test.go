package engine_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// after is an option of tasks: run when the others have done their part.
func after(tasks ...core.Task) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) {
		if s.CronExpression == "" && s.IntervalMs == 0 {
			s.ScheduleType = core.ScheduleDependency
		}
		for _, t := range tasks {
			s.DependsOn = append(s.DependsOn, t.ID)
		}
	}
}

func named(name string) func(*core.TaskSpec) { return func(s *core.TaskSpec) { s.Name = name } }

func once(p *core.Policy) { p.RetryPolicy.Attempts = 1 }

// brokenTasks are names of tasks whose plugin fails, until they are mended.
type brokenTasks struct{ names atomic.Pointer[[]string] }

func broken(names ...string) *brokenTasks {
	b := &brokenTasks{}
	b.names.Store(&names)
	return b
}

func (b *brokenTasks) mend() { b.names.Store(&[]string{}) }

// failingFor fails for the broken tasks, and takes a second for the others.
func failingFor(b *brokenTasks) invoker {
	return func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
		if slices.Contains(*b.names.Load(), in.TaskName) {
			return core.Outcome{}, &core.Failure{Code: core.CodeExecutionFailed, Message: "no", Class: core.ClassPermanent}
		}
		return taking(time.Second)(ctx, in)
	}
}

func TestAChainAndAFanInRunInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(taking(time.Second)))
		root := w.task(named("root"), every(time.Hour))
		left := w.task(named("left"), after(root))
		right := w.task(named("right"), after(root))
		last := w.task(named("last"), after(left, right))
		time.Sleep(2*time.Hour + time.Minute)
		stop(e, time.Minute)
		starts := map[string][]time.Time{}
		for _, c := range j.all() {
			starts[c.in.TaskName] = append(starts[c.in.TaskName], c.at)
		}
		for name, n := range map[string]int{"root": 2, "left": 2, "right": 2, "last": 2} {
			require.Len(t, starts[name], n, name)
		}
		for i := range 2 {
			require.Equal(t, starts["root"][i].Add(time.Second), starts["left"][i])
			require.Equal(t, starts["root"][i].Add(2*time.Second), starts["last"][i])
		}
		for _, x := range w.history(last.ID) {
			require.Equal(t, core.TriggerDependency, x.Trigger)
		}
	})
}

func TestAFailureGoesDownTheChainAndIsRetriedFromTheFailedNode(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bad := broken("left")
		e := w.node(failingFor(bad))
		root := w.task(named("root"), policy(once))
		left := w.task(named("left"), after(root), policy(once))
		right := w.task(named("right"), after(root))
		last := w.task(named("last"), after(left, right))
		end := w.task(named("end"), after(last))
		w.execute(root)
		time.Sleep(time.Minute)
		require.Equal(t, []core.Status{"failed"}, statusesOf(w.history(left.ID)))
		require.Equal(t, []core.Status{"succeeded"}, statusesOf(w.history(right.ID)))
		for _, task := range []core.Task{last, end} {
			all := w.history(task.ID)
			require.Equal(t, []core.Status{"failed"}, statusesOf(all))
			require.Equal(t, core.CodeDependencyFailed, *all[0].ErrorCode)
		}

		bad.mend()
		_, err := w.scheduler.Retry(context.Background(), w.history(left.ID)[0].ID, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		for _, task := range []core.Task{left, last, end} {
			require.Equal(t, []core.Status{"failed", "succeeded"}, statusesOf(w.history(task.ID)), task.Name)
		}
		require.Len(t, w.history(right.ID), 1, "what had succeeded does not run again")
		stop(e, time.Minute)
	})
}

func TestAScheduledTaskWaitsForItsDependency(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly))
		source := w.task(named("source"))
		report := w.task(named("report"), cron("0 * * * *"), after(source))
		time.Sleep(time.Hour + 20*time.Minute)
		w.execute(source) // at 01:20, and again at 03:30
		time.Sleep(2*time.Hour + 10*time.Minute)
		w.execute(source)
		time.Sleep(10 * time.Minute)
		stop(e, time.Second)
		var starts []string
		for _, x := range w.history(report.ID) {
			starts = append(starts, x.NominalTime.Format("15:04")+" at "+x.StartTime.Format("15:04"))
		}
		require.Equal(t, []string{
			"01:00 at 01:20", // waits for the first success there is
			"02:00 at 02:00", // 01:20 is later than the previous occurrence
			"03:00 at 03:30", // nothing since 02:00
		}, starts)
	})
}

func TestWhatAFailedDependencyDoes(t *testing.T) {
	for on, want := range map[core.DependencyFailure][]core.Status{
		core.DependencyFails: {"failed"}, core.DependencySkips: {"skipped"}, core.DependencyWaits: {"pending"},
	} {
		for kind, timing := range map[string]func(*core.TaskSpec){"scheduled": cron("5 * * * *"), "following": func(*core.TaskSpec) {}} {
			t.Run(kind+" "+string(on), func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					bad := broken("source")
					e := w.node(failingFor(bad))
					source := w.task(named("source"), cron("0 * * * *"), policy(once))
					task := w.task(named("task"), timing, after(source), policy(func(p *core.Policy) { p.DependencyPolicy.OnFailure = on }))
					time.Sleep(time.Hour + 6*time.Minute)
					got := statusesOf(w.history(task.ID))
					if on == core.DependencyWaits && kind == "following" {
						require.Empty(t, got, "nothing is planned until it may run")
					} else {
						require.Equal(t, want, got[:1])
					}
					bad.mend()
					time.Sleep(2 * time.Hour)
					require.Contains(t, statusesOf(w.history(task.ID)), core.StatusSucceeded)
					stop(e, time.Minute)
				})
			})
		}
	}
}

func TestPatienceWithADependencyEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly)
		never := w.task(named("never"))
		task := w.task(cron("0 1 * * *"), after(never), policy(func(p *core.Policy) { p.DependencyPolicy.TimeoutMs = 60_000 }))
		time.Sleep(time.Hour + 59*time.Second)
		require.Equal(t, []core.Status{"pending"}, statusesOf(w.history(task.ID)))
		time.Sleep(2 * time.Second)
		all := w.history(task.ID)
		require.Equal(t, []core.Status{"failed"}, statusesOf(all))
		require.Equal(t, core.CodeDependencyFailed, *all[0].ErrorCode)
		require.Contains(t, *all[0].Error, `"never"`)

		half := w.task(named("half"))
		fanIn := w.task(after(never, half), policy(func(p *core.Policy) { p.DependencyPolicy.TimeoutMs = 60_000 }))
		w.execute(half)
		time.Sleep(59 * time.Second)
		require.Empty(t, w.history(fanIn.ID))
		time.Sleep(2 * time.Second)
		require.Equal(t, []core.Status{"failed"}, statusesOf(w.history(fanIn.ID)))
		w.execute(never)
		w.execute(half)
		time.Sleep(time.Second)
		require.Equal(t, []core.Status{"failed", "succeeded"}, statusesOf(w.history(fanIn.ID)), "the next round is a new one")
		stop(e, time.Second)
	})
}

func TestCompletionIsEnoughWhereItIsAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(failingFor(broken("source")))
		source := w.task(named("source"), policy(once))
		task := w.task(after(source), policy(func(p *core.Policy) { p.DependencyPolicy.Condition = core.OnCompletion }))
		w.execute(source)
		time.Sleep(time.Minute)
		require.Equal(t, []core.Status{"succeeded"}, statusesOf(w.history(task.ID)))
		stop(e, time.Second)
	})
}

func TestByHandDependenciesDoNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly)
		x := w.execute(w.task(after(w.task())))
		time.Sleep(time.Second)
		require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
		stop(e, time.Second)
	})
}

// TestFailuresOfDependenciesPauseNobody: whether the task has times of its own
// or follows the other one, it was never tried.
func TestFailuresOfDependenciesPauseNobody(t *testing.T) {
	for kind, timing := range map[string]func(*core.TaskSpec){"scheduled": every(time.Minute), "following": func(*core.TaskSpec) {}} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				e := w.node(failingFor(broken("source")))
				source := w.task(named("source"), policy(once))
				task := w.task(timing, after(source), policy(func(p *core.Policy) { p.PauseAfterFailures = 2 }))
				for range 4 {
					w.execute(source)
					time.Sleep(2 * time.Minute)
				}
				stop(e, time.Second)
				failures := 0
				for _, x := range w.history(task.ID) {
					if x.Status == core.StatusFailed {
						require.Equal(t, core.CodeDependencyFailed, *x.ErrorCode)
						failures++
					}
				}
				require.GreaterOrEqual(t, failures, 4)
				task, err := w.scheduler.Task(context.Background(), task.ID)
				require.NoError(t, err)
				require.Nil(t, task.PauseReason)
			})
		})
	}
}

// TestASkipGoesDownTheChain: A fails, B on A is skipped, and C on B, whose own
// answer to a failure is any of the three.
func TestASkipGoesDownTheChain(t *testing.T) {
	on := func(p core.DependencyFailure) func(*core.TaskSpec) {
		return policy(func(pol *core.Policy) { pol.DependencyPolicy.OnFailure = p })
	}
	for onFailure, want := range map[core.DependencyFailure][]core.Status{
		core.DependencySkips: {"skipped"}, core.DependencyFails: {"failed"}, core.DependencyWaits: nil,
	} {
		t.Run(string(onFailure), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				bad := broken("A")
				e := w.node(failingFor(bad))
				a := w.task(named("A"), policy(once))
				b := w.task(named("B"), after(a), on(core.DependencySkips))
				c := w.task(named("C"), after(b), on(onFailure))
				other := w.task(named("other"))
				both := w.task(named("both"), after(b, other), on(core.DependencySkips))
				w.execute(other)
				time.Sleep(time.Minute)
				w.execute(a)
				time.Sleep(time.Minute)
				require.Equal(t, []core.Status{"skipped"}, statusesOf(w.history(b.ID)))
				require.Equal(t, want, statusesOf(w.history(c.ID)))
				require.Equal(t, []core.Status{"skipped"}, statusesOf(w.history(both.ID)))
				for _, x := range append(w.history(c.ID), w.history(both.ID)...) {
					require.Equal(t, core.CodeDependencyFailed, *x.ErrorCode)
					require.Contains(t, *x.Error, `"B"`)
				}

				bad.mend()
				_, err := w.scheduler.Retry(context.Background(), w.history(a.ID)[0].ID, nil)
				require.NoError(t, err)
				time.Sleep(time.Minute)
				for _, task := range []core.Task{a, b, c, both} {
					all := w.history(task.ID)
					require.Equal(t, core.StatusSucceeded, all[len(all)-1].Status, task.Name)
				}
				require.Len(t, w.history(other.ID), 1)
				stop(e, time.Second)
			})
		})
	}
}
