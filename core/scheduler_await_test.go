package core_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// deaf loses every signal.
type deaf struct{}

func (deaf) Send(context.Context, core.Signal)       {}
func (deaf) Subscribe() (<-chan core.Signal, func()) { return nil, func() {} }

// awaited is a scheduler with one pending execution, in a synctest bubble.
type awaited struct {
	*core.Scheduler
	id string
}

func newAwaited(t *testing.T, signals core.Signals) awaited {
	s := schedulerOn(memory.NewStore(core.SystemClock{}), signals, core.SystemClock{})
	spec := s.NewSpec()
	spec.Name, spec.Type = "task", "test"
	task, err := s.CreateTask(t.Context(), spec, nil)
	require.NoError(t, err)
	e, err := s.Execute(t.Context(), task.ID, nil)
	require.NoError(t, err)
	return awaited{s, e.ID}
}

// endAfter cancels the execution later on.
func (a awaited) endAfter(t *testing.T, d time.Duration) {
	ctx := t.Context()
	go func() {
		time.Sleep(d)
		_, _ = a.CancelExecution(ctx, a.id)
	}()
}

func TestAwaitReturnsAtTheSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited(t, memory.NewSignals())
		a.endAfter(t, 2500*time.Millisecond)
		begin := time.Now()
		e, err := a.Await(t.Context(), a.id)
		require.NoError(t, err)
		require.Equal(t, core.StatusCancelled, e.Status)
		require.Equal(t, 2500*time.Millisecond, time.Since(begin))
	})
}

func TestAwaitSurvivesLostSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited(t, deaf{})
		a.endAfter(t, 2500*time.Millisecond)
		begin := time.Now()
		e, err := a.Await(t.Context(), a.id)
		require.NoError(t, err)
		require.Equal(t, core.StatusCancelled, e.Status)
		require.Equal(t, 3*time.Second, time.Since(begin), "at the next look")
	})
}

func TestAwaitIgnoresTheSignalsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := memory.NewSignals()
		a := newAwaited(t, signals)
		go func() {
			for range 600 { // more than a subscriber's buffer
				time.Sleep(time.Millisecond)
				signals.Send(context.Background(), core.Signal{Kind: core.SignalFinished, ExecutionID: core.NewID()})
				signals.Send(context.Background(), core.Signal{Kind: core.SignalCancel, ExecutionID: a.id})
			}
		}()
		a.endAfter(t, 700*time.Millisecond)
		begin := time.Now()
		e, err := a.Await(t.Context(), a.id)
		require.NoError(t, err)
		require.True(t, e.Status.Final())
		require.Equal(t, 700*time.Millisecond, time.Since(begin))
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited(t, memory.NewSignals())
		ctx, cancel := context.WithTimeout(t.Context(), 1700*time.Millisecond)
		defer cancel()
		begin := time.Now()
		e, err := a.Await(ctx, a.id)
		require.NoError(t, err)
		require.Equal(t, core.StatusPending, e.Status, "as it is")
		require.Equal(t, 1700*time.Millisecond, time.Since(begin))
	})
}

func TestAwaitOfWhatHasEndedOrIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAwaited(t, memory.NewSignals())
		_, err := a.CancelExecution(t.Context(), a.id)
		require.NoError(t, err)
		begin := time.Now()
		e, err := a.Await(t.Context(), a.id)
		require.NoError(t, err)
		require.Equal(t, core.StatusCancelled, e.Status)
		_, err = a.Await(t.Context(), core.NewID())
		require.Equal(t, core.CodeNotFound, core.CodeOf(err))
		require.Zero(t, time.Since(begin), "neither is waited for")
	})
}
