package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// repeats is the longest pause before a failed step is repeated.
const repeats = 8 * time.Second

// Part by part, whoever watches knows that a step works again, also where it has
// nothing to do.
func TestAStepThatWorksAgainSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var state states
		store := &unplanning{Store: w.store}
		e := w.node(instantly, func(c *engine.Config) { c.Store, c.Observer, c.Idle = store, &state, time.Second })
		store.away.Store(true)
		time.Sleep(time.Minute)
		require.Equal(t, core.EventFault, state.of("planner"))
		store.away.Store(false)
		time.Sleep(repeats)
		require.Equal(t, core.EventHealed, state.of("planner"))
		told := state.told()
		time.Sleep(time.Minute)
		require.Equal(t, told, state.told(), "it is said once")
		stop(e, time.Second)
	})
}

// An end whose lease was lost meanwhile is dropped: nothing else tells that the
// store takes ends again.
func TestACompleterWhoseEndIsDroppedWorksAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var state states
		store := &forgetting{picky: picky{Store: w.store}}
		store.away.Store(true)
		e := w.node(instantly, func(c *engine.Config) { c.Store, c.Observer = store, &state })
		w.execute(w.task())
		time.Sleep(time.Minute)
		require.Equal(t, core.EventFault, state.of("completer"))
		store.away.Store(false)
		time.Sleep(repeats)
		require.Equal(t, core.EventHealed, state.of("completer"))
		stop(e, time.Second)
	})
}

// unplanning is a store that plans nothing while it is away.
type unplanning struct {
	core.Store
	away atomic.Bool
}

func (u *unplanning) PlanDue(ctx context.Context, limit int, decide func(now time.Time, d core.DueTask) core.Plan) (core.PlanReport, error) {
	if u.away.Load() {
		return core.PlanReport{}, core.Errorf(core.CodeUnavailable, "away")
	}
	return u.Store.PlanDue(ctx, limit, decide)
}

// forgetting is a store that knows no lease of what has ended.
type forgetting struct{ picky }

func (f *forgetting) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	if f.away.Load() {
		return f.picky.Finish(ctx, done)
	}
	return make([]core.Finished, len(done)), nil
}

// states are the last words of each part about itself.
type states struct {
	mu    sync.Mutex
	last  map[string]core.EventKind
	count int
}

func (s *states) Observe(e core.Event) {
	if e.Kind != core.EventFault && e.Kind != core.EventHealed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]core.EventKind{}
	}
	s.last[e.Part] = e.Kind
	s.count++
}

func (s *states) of(part string) core.EventKind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[part]
}

func (s *states) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
