package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
)

// jumping is a clock that can be set forward, as a resumed laptop's is, or back.
type jumping struct{ by atomic.Int64 }

func (j *jumping) Now() time.Time { return time.Now().Add(time.Duration(j.by.Load())) }

// settable gives the world a store and a scheduler whose clock can be set. It
// comes before the first task.
func (w *world) settable() *jumping {
	clock := &jumping{}
	w.store = memory.NewStore(clock)
	w.scheduler = core.NewScheduler(core.SchedulerConfig{
		Store: w.store, Types: anyType{}, Signals: w.signals, Clock: clock, Timetable: w.timetable,
		Defaults: core.Defaults{Timeout: time.Hour, RetryAttempts: 3, RetryDelay: 10 * time.Second},
	})
	return clock
}

func TestAJumpOfTheClockDoesNotTakeLiveWorkAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		clock := w.settable()
		var j journal
		e := w.node(j.record(taking(time.Minute)))
		x := w.execute(w.task())
		once := w.execute(w.task(policy(func(p *core.Policy) { p.Delivery = core.AtMostOnce })))
		time.Sleep(time.Second)
		clock.by.Store(int64(time.Hour))
		time.Sleep(2 * time.Minute)
		stop(e, time.Second)
		require.Len(t, j.all(), 2, "nothing ran twice")
		for _, id := range []string{x.ID, once.ID} {
			require.Equal(t, core.StatusSucceeded, w.execution(id).Status)
		}
	})
}

// hanging is a store whose heartbeats, or claims, never answer.
type hanging struct {
	core.Store
	heartbeat, claim bool
}

func (h hanging) Heartbeat(ctx context.Context, l []core.Lease, ttl time.Duration) (core.HeartbeatReport, error) {
	if h.heartbeat {
		time.Sleep(time.Hour) // deaf to ctx
	}
	return h.Store.Heartbeat(ctx, l, ttl)
}

func (h hanging) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	if h.claim {
		time.Sleep(time.Hour)
	}
	return h.Store.Claim(ctx, ids, owner, ttl)
}

func TestAttemptsEndWhenHeartbeatsHang(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		t.Cleanup(func() { time.Sleep(2 * time.Hour) }) // until the hung call is over
		ended := make(chan time.Duration, 10)
		begin := time.Now()
		run := invoker(func(ctx context.Context, _ core.Invocation) (core.Outcome, error) {
			<-ctx.Done()
			ended <- time.Since(begin)
			return core.Outcome{}, ctx.Err()
		})
		w.node(run, func(c *engine.Config) { c.Store = hanging{Store: w.store, heartbeat: true} })
		w.execute(w.task(timeout(30 * time.Minute)))
		require.Less(t, <-ended, 15*time.Second, "others may have it by now")
	})
}

// pulseless is a store whose heartbeats fail, and only those.
type pulseless struct{ core.Store }

func (pulseless) Heartbeat(context.Context, []core.Lease, time.Duration) (core.HeartbeatReport, error) {
	return core.HeartbeatReport{}, errors.New("no answer")
}

// TestFailingHeartbeatsAreLosses: work whose node cannot keep its lease is begun
// as often as work whose node dies, and not for ever.
func TestFailingHeartbeatsAreLosses(t *testing.T) {
	for delivery, want := range map[core.DeliveryPolicy]struct {
		calls  int
		status core.Status
	}{
		core.AtLeastOnce: {5, core.StatusFailed}, core.AtMostOnce: {1, core.StatusLost},
	} {
		t.Run(string(delivery), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var j journal
				w.store = pulseless{w.store}
				e := w.node(j.record(taking(time.Minute)))
				x := w.execute(w.task(timeout(time.Hour), policy(func(p *core.Policy) { p.RetryPolicy.Attempts, p.Delivery = 1, delivery })))
				time.Sleep(time.Hour)
				stop(e, time.Second)
				require.Len(t, j.all(), want.calls)
				x = w.execution(x.ID)
				require.Equal(t, want.status, x.Status)
				require.Equal(t, core.CodeLeaseLost, *x.ErrorCode)
				require.Len(t, x.Attempts, want.calls)
			})
		})
	}
}

func TestStopDoesNotHangOnAClaim(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		t.Cleanup(func() { time.Sleep(2 * time.Hour) })
		e := w.node(instantly, func(c *engine.Config) { c.Store = hanging{Store: w.store, claim: true} })
		w.execute(w.task())
		time.Sleep(time.Second)
		begin := time.Now()
		stop(e, 5*time.Second)
		require.Less(t, time.Since(begin), time.Minute)
	})
}

func TestWhatIsUrgentOvertakesTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		w.node(j.record(taking(20*time.Second)), func(c *engine.Config) { c.Concurrency = 2 })
		for range 20 {
			w.execute(w.task(policy(func(p *core.Policy) { p.Priority = 0 })))
		}
		time.Sleep(time.Second)
		begin := time.Now()
		urgent := w.execute(w.task(policy(func(p *core.Policy) { p.Priority = 9 })))
		time.Sleep(time.Minute)
		for _, c := range j.all() {
			if c.in.ExecutionID == urgent.ID {
				require.LessOrEqual(t, c.at.Sub(begin), 20*time.Second, "the next free slot is its")
				return
			}
		}
		t.Fatal("it has not started")
	})
}

func TestLostWorkersAreCountedApart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		task := w.task(policy(func(p *core.Policy) { p.RetryPolicy.Attempts = 1 }))
		x := w.execute(task)
		ctx := context.Background()
		for i := range 5 {
			claimed, err := w.store.Claim(ctx, []string{x.ID}, "dying", time.Second)
			require.NoError(t, err)
			require.Len(t, claimed, 1, "it is due again at once")
			time.Sleep(2 * time.Second)
			_, err = w.store.Reap(ctx, 10, func(now time.Time, e *core.Execution) { e.LoseLease(now) })
			require.NoError(t, err)
			want := core.StatusRetrying
			if i == 4 {
				want = core.StatusFailed
			}
			require.Equal(t, want, w.execution(x.ID).Status, "loss %d", i+1)
		}
		require.Equal(t, core.CodeLeaseLost, *w.execution(x.ID).ErrorCode)
	})
}

func TestAPoisonousTaskDoesNotStopTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		poison, healthy := w.task(every(time.Minute)), w.task(every(time.Minute))
		_, err := w.store.UpdateTask(context.Background(), poison.ID, core.AnyVersion, func(_ time.Time, t core.Task) (core.Task, error) {
			t.Timezone = "Mars/Base" // the zone has vanished from the database
			t.CronExpression, t.IntervalMs, t.ScheduleType = "* * * * *", 0, core.ScheduleCron
			return t, nil
		})
		require.NoError(t, err)
		w.node(instantly)
		time.Sleep(3*time.Minute + time.Second)
		require.Len(t, w.history(healthy.ID), 3)
		all := w.history(poison.ID)
		require.Equal(t, []core.Status{"missed"}, statusesOf(all))
		require.Contains(t, *all[0].Error, "/timezone")
	})
}

// slow answers a claim late, but within the patience of the worker.
type slow struct{ core.Store }

func (s slow) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	time.Sleep(9 * time.Second)
	return s.Store.Claim(ctx, ids, owner, ttl)
}

func TestStopWaitsForAClaimThatIsOnItsWay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		run := invoker(func(ctx context.Context, _ core.Invocation) (core.Outcome, error) {
			<-ctx.Done()
			return core.Outcome{}, ctx.Err()
		})
		e := w.node(run, func(c *engine.Config) { c.Store = slow{w.store} })
		x := w.execute(w.task())
		time.Sleep(time.Second)
		stop(e, time.Second) // ends before the claim is answered
		x = w.execution(x.ID)
		require.Equal(t, core.StatusPending, x.Status, "handed back")
		time.Sleep(time.Minute)
	})
}

// sluggish is a store that takes a second to write ends. It counts what is
// claimed and not written.
type sluggish struct {
	core.Store
	open, most *atomic.Int64
}

func (s sluggish) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	claimed, err := s.Store.Claim(ctx, ids, owner, ttl)
	s.most.Store(max(s.most.Load(), s.open.Add(int64(len(claimed)))))
	return claimed, err
}

func (s sluggish) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	time.Sleep(time.Second)
	defer s.open.Add(-int64(len(done)))
	return s.Store.Finish(ctx, done)
}

// TestASlowStoreSlowsTheWork: leases of ends that nobody has written do not pile
// up, however fast the work is.
func TestASlowStoreSlowsTheWork(t *testing.T) {
	const slots, tasks = 3, 100
	bubble(t, func(t *testing.T, w *world) {
		s := sluggish{w.store, new(atomic.Int64), new(atomic.Int64)}
		for range tasks {
			w.execute(w.task())
		}
		e := w.node(instantly, func(c *engine.Config) { c.Store, c.Concurrency = s, slots })
		time.Sleep(5 * time.Minute)
		require.Zero(t, s.open.Load(), "all have ended")
		require.LessOrEqual(t, s.most.Load(), int64(10*slots), "some are written, wait to be and run, and not all of them")
		stop(e, time.Second)
	})
}
