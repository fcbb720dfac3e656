package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// slate is a store that counts the writes of progress, and refuses as told.
type slate struct {
	core.Store
	mu     sync.Mutex
	writes []time.Time
	away   bool
}

func (s *slate) SaveProgress(ctx context.Context, reports []core.ProgressReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errors.New("away")
	}
	s.writes = append(s.writes, time.Now())
	return s.Store.SaveProgress(ctx, reports)
}

func (s *slate) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// reporting says where it is every period until it ends, with err.
func reporting(steps int, period time.Duration, err error) invoker {
	return func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
		for i := range steps {
			in.Report(core.Progress{Percent: float64(i), Message: fmt.Sprint("step ", i), At: time.Now()})
			time.Sleep(period)
		}
		in.Report(core.Progress{Percent: 100, Message: fmt.Sprint("attempt ", in.Attempt), At: time.Now()})
		return core.Outcome{}, err
	}
}

func (w *world) progress(id string) string {
	w.t.Helper()
	if p := w.execution(id).Progress; p != nil {
		return p.Message
	}
	return ""
}

func TestProgressIsWrittenOnceASecondHoweverOftenItIsReported(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := &slate{Store: w.store}
		e := w.node(reporting(10_000, time.Millisecond, nil), func(c *engine.Config) { c.Store = s })
		a := w.execute(w.task())
		time.Sleep(time.Millisecond / 2)
		require.Equal(t, "step 0", w.progress(a.ID), "the first word is written at once")
		b := w.execute(w.task())
		time.Sleep(5*time.Second + time.Millisecond)
		require.Contains(t, []string{"step 4999", "step 5000", "step 5001"}, w.progress(a.ID))
		time.Sleep(time.Minute)
		stop(e, time.Second)
		require.Equal(t, core.StatusSucceeded, w.execution(a.ID).Status)
		require.Equal(t, core.StatusSucceeded, w.execution(b.ID).Status)
		require.Empty(t, w.progress(a.ID), "it has ended")
		require.GreaterOrEqual(t, len(s.writes), 10)
		require.LessOrEqual(t, len(s.writes), 12)
		for i := 1; i < len(s.writes); i++ {
			require.GreaterOrEqual(t, s.writes[i].Sub(s.writes[i-1]), time.Second)
		}
	})
}

func TestTheLastWordOfAFailedAttemptStays(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.node(reporting(1, 10*time.Millisecond, &core.Failure{Class: core.ClassRetryable}))
		x := w.execute(w.task(policy(func(p *core.Policy) { p.RetryPolicy.Delay = core.MillisOf(time.Hour) })))
		time.Sleep(2 * time.Second)
		require.Equal(t, core.StatusRetrying, w.execution(x.ID).Status)
		require.Equal(t, "attempt 1", w.progress(x.ID))
		stop(e, time.Second)
	})
}

func TestProgressWaitsForTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := &slate{Store: w.store, away: true}
		once := func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
			in.Report(core.Progress{Message: "said once"})
			<-ctx.Done()
			in.Report(core.Progress{Message: "said when it was over"})
			return core.Outcome{}, ctx.Err()
		}
		e := w.node(once, func(c *engine.Config) { c.Store = s })
		x := w.execute(w.task(timeout(time.Hour)))
		time.Sleep(30 * time.Second)
		require.Empty(t, w.progress(x.ID))
		s.set(false)
		time.Sleep(10 * time.Second)
		require.Equal(t, "said once", w.progress(x.ID))
		stop(e, time.Second)
	})
}

// One that was left behind because it did not end must not speak for the
// attempt that follows.
func TestNobodySpeaksForAnAttemptThatHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		deaf := func(_ context.Context, in core.Invocation) (core.Outcome, error) {
			time.Sleep(time.Minute)
			in.Report(core.Progress{Message: "ghost"})
			return core.Outcome{}, nil
		}
		e := w.node(deaf)
		x := w.execute(w.task(timeout(time.Second), policy(func(p *core.Policy) { p.RetryPolicy.Delay = core.MillisOf(time.Hour) })))
		time.Sleep(2 * time.Minute)
		require.Equal(t, core.StatusRetrying, w.execution(x.ID).Status)
		require.Empty(t, w.progress(x.ID))
		stop(e, time.Second)
	})
}

// What the store has not taken is kept for attempts that run, and for no others:
// those that run are few, however long the store is away.
func TestTheLastWordIsNotKeptForAStoreThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := &slate{Store: w.store, away: true}
		e := w.node(reporting(1, time.Second, &core.Failure{Class: core.ClassRetryable}), func(c *engine.Config) { c.Store = s })
		x := w.execute(w.task(policy(func(p *core.Policy) { p.RetryPolicy.Delay = core.MillisOf(time.Hour) })))
		time.Sleep(time.Minute)
		s.set(false)
		time.Sleep(time.Minute)
		require.Equal(t, core.StatusRetrying, w.execution(x.ID).Status)
		require.Empty(t, s.writes)
		stop(e, time.Second)
	})
}
