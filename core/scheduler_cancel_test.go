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

func TestCancellingAnExecutionCanBeRepeated(t *testing.T) {
	w := newWorld(t)
	task := w.create()
	e, err := w.Execute(w.ctx, task.ID, nil)
	require.NoError(t, err)
	for range 2 {
		report, err := w.CancelExecution(w.ctx, e.ID)
		require.NoError(t, err)
		require.Len(t, report.Cancelled, 1)
		require.Equal(t, core.StatusCancelled, report.Cancelled[0].Status)
	}
}

func TestWhatIsToldToEndCanBeToldAgain(t *testing.T) {
	w := newWorld(t)
	e := w.running()
	for range 2 {
		report, err := w.CancelExecution(w.ctx, e.ID)
		require.NoError(t, err)
		require.Equal(t, []string{e.ID}, report.Running)
	}
}

func TestWhatEndedOtherwiseCannotBeCancelled(t *testing.T) {
	w := newWorld(t)
	e := w.running()
	_, err := w.store.Finish(w.ctx, []core.Completion{{
		Lease:  core.Lease{ExecutionID: e.ID, Token: e.Token},
		Settle: func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
	}})
	require.NoError(t, err)
	_, err = w.CancelExecution(w.ctx, e.ID)
	require.Equal(t, core.CodeConflict, core.CodeOf(err))
}

// running is an execution that a worker has claimed.
func (w *world) running() core.Execution {
	e, err := w.Execute(w.ctx, w.create().ID, nil)
	require.NoError(w.t, err)
	claimed, err := w.store.Claim(w.ctx, []string{e.ID}, "node", time.Minute)
	require.NoError(w.t, err)
	require.Len(w.t, claimed, 1)
	return claimed[0]
}

// mute is a store that does not answer when an execution is read.
type mute struct{ core.Store }

func (mute) Execution(ctx context.Context, _ string) (core.Execution, error) {
	<-ctx.Done()
	return core.Execution{}, ctx.Err()
}

func TestAwaitGivesUpOnAStoreThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedulerOn(mute{}, memory.NewSignals(), core.SystemClock{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := s.Await(ctx, core.NewID())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(begin))
	})
}

// seen keeps the events of an observer.
type seen struct{ events []core.Event }

func (s *seen) Observe(e core.Event) { s.events = append(s.events, e) }

func TestACancelledExecutionIsObservedOnce(t *testing.T) {
	var all seen
	w := newWorld(t, func(c *core.SchedulerConfig) { c.Observer = &all })
	e, err := w.Execute(w.ctx, w.create().ID, nil)
	require.NoError(t, err)
	for range 2 {
		_, err = w.CancelExecution(w.ctx, e.ID)
		require.NoError(t, err)
	}
	require.Len(t, all.events, 1)
	require.Equal(t, core.EventFinished, all.events[0].Kind)
	require.Equal(t, core.StatusCancelled, all.events[0].Execution.Status)
}
