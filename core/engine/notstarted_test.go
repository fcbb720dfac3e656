package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// What the host does not start costs no attempt, and is asked for again when it
// said.
func TestWhatIsNotStartedIsNoAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var j journal
		asked := 0
		e := w.node(j.record(func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
			if asked++; asked <= 5 {
				return core.Outcome{}, &core.NotStartedError{Reason: "not now", Wait: 30 * time.Second}
			}
			return instantly(ctx, in)
		}))
		task := w.task(policy(func(p *core.Policy) { p.RetryPolicy.Attempts, p.Delivery = 1, core.AtMostOnce }))
		w.execute(task)
		time.Sleep(10 * time.Minute)
		stop(e, time.Second)
		calls := j.all()
		require.Len(t, calls, 6)
		for i, c := range calls {
			require.Equal(t, 1, c.in.Attempt)
			if i > 0 {
				require.GreaterOrEqual(t, c.at.Sub(calls[i-1].at), 30*time.Second)
			}
		}
		done := w.history(task.ID)
		require.Len(t, done, 1)
		require.Equal(t, core.StatusSucceeded, done[0].Status)
		require.Len(t, done[0].Attempts, 1)
	})
}
