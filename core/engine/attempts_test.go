package engine_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestRetryBacksOffAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(failing(core.Failure{Code: core.CodeExecutionFailed, Message: "no", Class: core.ClassRetryable})))
		begin := time.Now()
		x := w.execute(w.task())
		time.Sleep(time.Hour)
		stop(e, time.Second)
		calls := j.all()
		require.Len(t, calls, 3)
		require.Equal(t, begin.Add(10*time.Second), calls[1].at)
		require.Equal(t, begin.Add(30*time.Second), calls[2].at)
		require.Equal(t, 3, calls[2].in.Attempt)
		require.Greater(t, calls[1].in.Token, calls[0].in.Token)
		x = w.execution(x.ID)
		require.Equal(t, core.StatusFailed, x.Status)
		require.Equal(t, core.CodeExecutionFailed, *x.ErrorCode)
		require.Len(t, x.Attempts, 3)
		require.Equal(t, core.Millis(30_000), *x.Duration)
	})
}

func TestErrorClassesDecideOnRetry(t *testing.T) {
	cases := map[string]struct {
		failure core.Failure
		starts  []time.Duration
	}{
		"permanent":   {core.Failure{Class: core.ClassPermanent}, []time.Duration{0}},
		"denied":      {core.Failure{Class: core.ClassDenied}, []time.Duration{0}},
		"retry after": {core.Failure{Class: core.ClassRetryable, RetryAfter: 90 * time.Second}, []time.Duration{0, 90 * time.Second, 180 * time.Second}},
		"timeout":     {core.Failure{Class: core.ClassTimeout}, []time.Duration{0, 10 * time.Second, 30 * time.Second}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var j journal
				e := w.node(j.record(failing(c.failure)))
				begin := time.Now()
				w.execute(w.task())
				time.Sleep(time.Hour)
				stop(e, time.Second)
				var starts []time.Duration
				for _, call := range j.all() {
					starts = append(starts, call.at.Sub(begin))
				}
				require.Equal(t, c.starts, starts)
			})
		})
	}
}

func TestTimeoutEndsAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(taking(time.Hour))
		x := w.execute(w.task(timeout(time.Second), policy(func(p *core.Policy) { p.RetryPolicy.Attempts = 1 })))
		time.Sleep(time.Second + time.Millisecond)
		x = w.execution(x.ID)
		require.Equal(t, core.StatusFailed, x.Status)
		require.Equal(t, core.CodeTimeout, *x.ErrorCode)
		require.Equal(t, "did not end within 1s", *x.Error)
		stop(e, time.Second)
	})
}

func TestAPluginThatIgnoresItsEndLosesItsSlot(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		stubborn := invoker(func(context.Context, core.Invocation) (core.Outcome, error) {
			<-release
			return core.Outcome{}, nil
		})
		e := w.node(stubborn, func(c *engine.Config) { c.Concurrency = 1 })
		one := policy(func(p *core.Policy) { p.RetryPolicy.Attempts = 1 })
		x := w.execute(w.task(timeout(time.Second), one))
		y := w.execute(w.task(timeout(time.Second), one))
		time.Sleep(7 * time.Second) // 1 s and 5 s of grace
		require.Equal(t, core.CodeTimeout, *w.execution(x.ID).ErrorCode)
		require.Equal(t, core.StatusRunning, w.execution(y.ID).Status)
		close(release)
		stop(e, time.Minute)
	})
}

func TestCancelReachesThePluginAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(taking(time.Hour), func(c *engine.Config) { c.Concurrency = 1 })
		x := w.execute(w.task())
		y := w.execute(w.task())
		time.Sleep(100 * time.Millisecond)
		for _, id := range []string{x.ID, y.ID} {
			_, err := w.scheduler.CancelExecution(context.Background(), id)
			require.NoError(t, err)
		}
		time.Sleep(time.Millisecond)
		for _, id := range []string{x.ID, y.ID} {
			e := w.execution(id)
			require.Equal(t, core.StatusCancelled, e.Status)
			require.Equal(t, core.CodeCancelled, *e.ErrorCode)
			_, err := w.scheduler.CancelExecution(context.Background(), id)
			require.NoError(t, err, "cancelling may be repeated")
		}
		stop(e, time.Second)
	})
}

func TestAPanicIsAFailedAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(func(context.Context, core.Invocation) (core.Outcome, error) { panic("defect") })
		x := w.execute(w.task(policy(func(p *core.Policy) { p.RetryPolicy.Attempts = 1 })))
		time.Sleep(time.Second)
		x = w.execution(x.ID)
		require.Equal(t, core.StatusFailed, x.Status)
		require.Equal(t, core.CodeInternal, *x.ErrorCode)
		require.NotContains(t, *x.Error, "defect")
		stop(e, time.Second)
	})
}

func TestStopLetsRunningWorkEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(taking(5 * time.Second))
		x := w.execute(w.task())
		time.Sleep(time.Second)
		begin := time.Now()
		stop(e, 20*time.Second)
		require.Equal(t, 4*time.Second, time.Since(begin))
		require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
	})
}

func TestStopHandsBackWhatDoesNotEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(taking(time.Hour))
		x := w.execute(w.task())
		once := w.execute(w.task(policy(func(p *core.Policy) { p.Delivery = core.AtMostOnce })))
		time.Sleep(time.Second)
		stop(e, 2*time.Second)
		x = w.execution(x.ID)
		require.Equal(t, core.StatusPending, x.Status)
		require.Zero(t, x.Attempt, "the attempt is not spent")
		require.Equal(t, core.StatusLost, w.execution(once.ID).Status)

		e = w.node(instantly)
		time.Sleep(time.Millisecond)
		x = w.execution(x.ID)
		require.Equal(t, core.StatusSucceeded, x.Status)
		require.Equal(t, 1, x.Attempt)
		stop(e, time.Second)
	})
}

func TestWhatANodeHandsBackStartsElsewhereAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(taking(time.Hour))
		x := w.execute(w.task())
		time.Sleep(time.Second)
		other := w.node(instantly, func(c *engine.Config) { c.Owner = "other" })
		time.Sleep(time.Second)
		stop(e, time.Second)
		time.Sleep(time.Millisecond)
		require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
		stop(other, time.Second)
	})
}

func TestANodeWithTooMuchToDoIsHelpedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		ran := map[string]int{}
		at := time.Now().Add(15 * time.Second)
		for _, owner := range []string{"a", "b"} {
			count := func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
				mu.Lock()
				ran[owner]++
				mu.Unlock()
				return taking(100*time.Millisecond)(ctx, in)
			}
			w.node(count, func(c *engine.Config) {
				c.Owner, c.Concurrency, c.Queue = owner, 1, memory.NewQueue(2)
			})
			time.Sleep(time.Second)
		}
		for range 20 {
			w.task(func(s *core.TaskSpec) { s.RunAt = &at })
		}
		time.Sleep(30 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 20, ran["a"]+ran["b"])
		require.GreaterOrEqual(t, ran["a"], 5)
		require.GreaterOrEqual(t, ran["b"], 5)
	})
}

func TestStopTakesNoNewWork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(taking(10 * time.Second)))
		w.execute(w.task())
		time.Sleep(time.Second)
		go stop(e, time.Minute)
		time.Sleep(time.Second)
		w.execute(w.task())
		time.Sleep(time.Minute)
		require.Len(t, j.all(), 1)
	})
}

// deaf is a store that a node cannot reach while cut is set.
type deaf struct {
	core.Store
	cut func() bool
}

var errCut = errors.New("no route to the store")

func (d deaf) Heartbeat(ctx context.Context, l []core.Lease, ttl time.Duration) (core.HeartbeatReport, error) {
	if d.cut() {
		return core.HeartbeatReport{}, errCut
	}
	return d.Store.Heartbeat(ctx, l, ttl)
}

func (d deaf) Finish(ctx context.Context, c []core.Completion) ([]core.Finished, error) {
	if d.cut() {
		return nil, errCut
	}
	return d.Store.Finish(ctx, c)
}

func (d deaf) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	if d.cut() {
		return nil, errCut
	}
	return d.Store.Claim(ctx, ids, owner, ttl)
}

func (d deaf) PlanDue(ctx context.Context, n int, decide func(time.Time, core.DueTask) core.Plan) (core.PlanReport, error) {
	if d.cut() {
		return core.PlanReport{}, errCut
	}
	return d.Store.PlanDue(ctx, n, decide)
}

func (d deaf) Reap(ctx context.Context, n int, settle func(time.Time, *core.Execution)) ([]core.Execution, error) {
	if d.cut() {
		return nil, errCut
	}
	return d.Store.Reap(ctx, n, settle)
}

func TestACutOffNodeLosesItsWorkAndCannotWrite(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begin := time.Now()
		isolated := func() bool { s := time.Since(begin); return s > time.Second && s < 40*time.Second }
		var j journal
		zombie := w.node(j.record(func(context.Context, core.Invocation) (core.Outcome, error) {
			time.Sleep(50 * time.Second) // deaf to its order to end, and it ends well
			return core.Outcome{Plugin: "zombie@1"}, nil
		}), func(c *engine.Config) {
			c.Owner, c.Store, c.CancelGrace = "zombie", deaf{w.store, isolated}, time.Minute
		})
		x := w.execute(w.task(timeout(10*time.Minute), policy(func(p *core.Policy) { p.RetryPolicy.Delay = 0 })))
		time.Sleep(500 * time.Millisecond)
		healthy := w.node(j.record(taking(time.Minute)), func(c *engine.Config) { c.Owner = "healthy" })

		time.Sleep(15 * time.Second)
		calls := j.all()
		require.Len(t, calls, 2, "the other node runs it within 15 s")
		require.Equal(t, 2, calls[1].in.Attempt, "the lost attempt counts")
		require.Greater(t, calls[1].in.Token, calls[0].in.Token)

		time.Sleep(time.Minute) // the zombie can write again, and tries
		x = w.execution(x.ID)
		require.Equal(t, core.StatusSucceeded, x.Status)
		require.Equal(t, "test@1", x.Plugin)
		require.Equal(t, "healthy", x.Worker)
		require.Equal(t, core.StatusLost, x.Attempts[0].Status)
		stop(zombie, time.Minute)
		stop(healthy, time.Minute)
	})
}

func TestAStoreThatComesBackLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begin := time.Now()
		cut := func() bool { s := time.Since(begin); return s > 10*time.Second && s < 70*time.Second }
		var j journal
		e := w.node(j.record(instantly), func(c *engine.Config) { c.Store = deaf{w.store, cut} })
		task := w.task(every(time.Second), overlap(core.OverlapQueueAll), policy(func(p *core.Policy) { p.Misfire.Policy = core.MisfireAll }))
		time.Sleep(2*time.Minute + 500*time.Millisecond)
		stop(e, time.Second)
		all := w.history(task.ID)
		require.Len(t, all, 120)
		for i, x := range all {
			require.Equal(t, core.StatusSucceeded, x.Status, "occurrence %d", i)
			require.Equal(t, 1, x.Attempt)
		}
	})
}

func TestStopDoesNotHangOnADeadStore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var dead atomic.Bool
		e := w.node(taking(time.Second), func(c *engine.Config) { c.Store = deaf{w.store, dead.Load} })
		for range 30 {
			w.execute(w.task())
		}
		time.Sleep(500 * time.Millisecond)
		dead.Store(true)
		begin := time.Now()
		stop(e, 3*time.Second)
		require.Less(t, time.Since(begin), 20*time.Second)
	})
}

func TestStartAndStopAreIdempotent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly)
		require.NoError(t, e.Start())
		for range 3 {
			stop(e, time.Second)
		}
		require.Error(t, e.Start(), "a stopped engine cannot be started again")

		unstarted, err := engine.New(engine.Config{
			Store: w.store, Queue: noQueue{}, Locker: noLocker{}, Limiter: noLimiter{}, Invoker: invoker(instantly), Signals: w.signals, Owner: "x",
		})
		require.NoError(t, err)
		stop(unstarted, time.Second)
	})
}

type (
	noQueue   struct{ core.Queue }
	noLocker  struct{ core.Locker }
	noLimiter struct{ core.Limiter }
)

func TestNewDemandsItsParts(t *testing.T) {
	_, err := engine.New(engine.Config{Owner: "x"})
	require.ErrorContains(t, err, "required")
}

// lossy is a queue that swallows the first n items it is given.
type lossy struct {
	core.Queue
	mu sync.Mutex
	n  int
}

func (l *lossy) Publish(ctx context.Context, items []core.QueueItem) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := min(l.n, len(items))
	l.n -= lost
	if lost == len(items) {
		return nil
	}
	return l.Queue.Publish(ctx, items[lost:])
}

// crowded is a queue in which something of others always waits.
type crowded struct{ core.Queue }

func (c crowded) Depth(ctx context.Context) (waiting, free int, err error) {
	waiting, free, err = c.Queue.Depth(ctx)
	return waiting + 1, free, err
}

// loaded is a catalogue in which the type of the tests is loaded.
type loaded struct{ anyType }

func (loaded) Plugins() []core.PluginStatus {
	return []core.PluginStatus{{Type: "test", LoadedAt: new(time.Now())}}
}

func TestWhatTheQueueLosesIsOfferedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		option func(*engine.Config)
		within time.Duration
	}{
		"from an empty queue, before a lease would end": {func(c *engine.Config) { c.Types = loaded{} }, 10 * time.Second},
		"from a queue where others wait": {func(c *engine.Config) {
			c.Types, c.Queue = loaded{}, crowded{c.Queue}
		}, 70 * time.Second},
		"of a type that this node cannot see": {func(*engine.Config) {}, 70 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				e := w.node(instantly, func(cfg *engine.Config) { cfg.Queue = &lossy{Queue: cfg.Queue, n: 2} }, c.option)
				a, b := w.execute(w.task()), w.execute(w.task())
				time.Sleep(c.within / 3)
				require.Equal(t, core.StatusQueued, w.execution(a.ID).Status)
				time.Sleep(c.within * 2 / 3)
				for _, x := range []core.Execution{a, b} {
					require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
				}
				stop(e, time.Second)
			})
		})
	}
}

// refusing is a queue that is broken for a while.
type refusing struct {
	core.Queue
	until time.Time
}

func (r refusing) Publish(ctx context.Context, items []core.QueueItem) error {
	if time.Now().Before(r.until) {
		return errCut
	}
	return r.Queue.Publish(ctx, items)
}

func TestABrokenQueueCostsOnlyTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly, func(c *engine.Config) { c.Queue = refusing{c.Queue, time.Now().Add(20 * time.Second)} })
		x := w.execute(w.task())
		time.Sleep(10 * time.Second)
		require.Contains(t, []core.Status{core.StatusPending, core.StatusQueued}, w.execution(x.ID).Status)
		time.Sleep(20 * time.Second)
		require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status, "without waiting for the reaper")
		stop(e, time.Second)
	})
}
