package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/internal/memory"
)

// rate is an option of tasks: n starts in a period, under a shared key.
func rate(n int, per time.Duration) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) {
		s.RateLimit = &core.RateLimit{Key: "shared", Limit: n, PerMs: core.MillisOf(per)}
		s.Overlap = core.OverlapAllow
	}
}

// requirePace demands that no window has more starts than a rate allows: n at
// once, and one more for each step.
func requirePace(t *testing.T, calls []call, n int, per time.Duration) {
	t.Helper()
	step := per / time.Duration(n)
	for i := range calls {
		for k := i + n; k < len(calls); k++ {
			least := time.Duration(k-i-n+1) * step
			require.GreaterOrEqual(t, calls[k].at.Sub(calls[i].at), least, "starts %d to %d", i, k)
		}
	}
}

// What waited for a slot must not start as one burst: the rate counts starts.
func TestARateLimitHoldsWhenTheSlotsWereTaken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		hold := taking(time.Minute)
		e := w.node(j.record(func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
			if in.TaskName == "long" {
				return hold(ctx, in)
			}
			return instantly(ctx, in)
		}), func(c *engine.Config) { c.Concurrency = 1 })
		w.execute(w.task(named("long"), policy(func(p *core.Policy) { p.TimeoutMs = core.MillisOf(time.Hour) })))
		time.Sleep(time.Second)
		limited := w.task(rate(1, 10*time.Second))
		for range 10 {
			w.execute(limited)
		}
		time.Sleep(10 * time.Minute)
		stop(e, time.Second)
		calls := j.all()[1:]
		require.Len(t, calls, 10)
		requirePace(t, calls, 1, 10*time.Second)
		require.LessOrEqual(t, calls[9].at.Sub(calls[0].at), 92*time.Second, "and no slower")
	})
}

func TestARateLimitIsSharedByNodesAndKeepsPriorities(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		limiter := memory.NewLimiter(core.SystemClock{})
		share := func(c *engine.Config) { c.Limiter = limiter }
		a := w.node(j.record(instantly), share, func(c *engine.Config) { c.Owner = "a" })
		b := w.node(j.record(instantly), share, func(c *engine.Config) { c.Owner = "b" })
		low := w.task(named("low"), rate(5, 10*time.Second), policy(func(p *core.Policy) { p.Priority = 0 }))
		for range 50 {
			w.execute(low)
		}
		time.Sleep(20 * time.Second)
		begin := time.Now()
		w.execute(w.task(named("high"), rate(5, 10*time.Second), policy(func(p *core.Policy) { p.Priority = 9 })))
		time.Sleep(10 * time.Minute)
		stop(a, time.Second)
		stop(b, time.Second)
		calls := j.all()
		require.Len(t, calls, 51)
		requirePace(t, calls, 5, 10*time.Second)
		for _, c := range calls {
			if c.in.TaskName == "high" {
				require.LessOrEqual(t, c.at.Sub(begin), 5*time.Second, "it goes first")
			}
		}
		require.LessOrEqual(t, calls[50].at.Sub(calls[0].at), 110*time.Second)
	})
}

func TestATypeHasARateOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly), func(c *engine.Config) {
			c.Rates = func(string) *core.RateLimit { return &core.RateLimit{Limit: 2, PerMs: 1000} }
		})
		for range 4 {
			task := w.task(overlap(core.OverlapAllow))
			for range 5 {
				w.execute(task)
			}
		}
		time.Sleep(time.Minute)
		stop(e, time.Second)
		require.Len(t, j.all(), 20)
		requirePace(t, j.all(), 2, time.Second)
	})
}

// counted counts what the engine writes about executions that wait.
type counted struct {
	core.Store
	marks, claims *atomic.Int64
}

func (c counted) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	c.marks.Add(int64(len(marks)))
	return c.Store.MarkQueued(ctx, marks)
}

func (c counted) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	c.claims.Add(int64(len(ids)))
	return c.Store.Claim(ctx, ids, owner, ttl)
}

// A long line behind a rate limit costs what starts, and not its length at each
// start.
func TestALongLineBehindARateLimitIsCheap(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var marks, claims atomic.Int64
		e := w.node(instantly, func(c *engine.Config) { c.Store = counted{c.Store, &marks, &claims} })
		limited := w.task(rate(1, time.Second))
		const n = 500
		for range n {
			w.execute(limited)
		}
		time.Sleep(time.Hour)
		stop(e, time.Second)
		require.Len(t, w.history(limited.ID), n)
		require.Less(t, marks.Load(), int64(2*n))
		require.Less(t, claims.Load(), int64(2*n))
	})
}

// A key without a limit is open at the instant that the caller asks about, not
// at a later one.
func TestARateThatIsNotKnownIsOpenWhenAsked(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(instantly)
		asked := time.Now()
		time.Sleep(time.Second)
		require.Equal(t, asked, e.RateOpensAt(asked, core.TypeRateKey("sleeper")))
		stop(e, time.Second)
	})
}

// silent is a limiter that does not answer.
type silentLimiter struct{ core.Limiter }

func (silentLimiter) Take(context.Context, []core.LimitRequest) ([]core.LimitDecision, error) {
	return nil, context.DeadlineExceeded
}

func TestALimiterThatDoesNotAnswerHoldsOnlyWhatHasARate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		e := w.node(j.record(instantly), func(c *engine.Config) { c.Limiter = silentLimiter{} })
		limited := w.execute(w.task(rate(1, time.Second)))
		w.execute(w.task())
		time.Sleep(time.Minute)
		require.Len(t, j.all(), 1)
		require.Zero(t, w.execution(limited.ID).Attempt, "no attempt is spent")
		stop(e, time.Second)
	})
}
