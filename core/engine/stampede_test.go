package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// TestAWeekOfflineDoesNotEndInAStampede starts a node on ten thousand tasks that
// nobody looked at for a week: no more runs at once than there are slots, and
// each task catches up once.
func TestAWeekOfflineDoesNotEndInAStampede(t *testing.T) {
	tasks := 10_000
	if testing.Short() {
		tasks = 1000
	}
	bubble(t, func(t *testing.T, w *world) {
		for i := range tasks {
			w.task(every(time.Hour+time.Duration(i)*time.Millisecond), policy(func(p *core.Policy) { p.Misfire.WindowMs = core.MillisOf(8 * 24 * time.Hour) }))
		}
		time.Sleep(7 * 24 * time.Hour)
		var running, most atomic.Int64
		var j journal
		e := w.node(j.record(counting(&running, &most, taking(100*time.Millisecond))), func(c *engine.Config) { c.Concurrency = 50 })
		time.Sleep(time.Minute)
		require.LessOrEqual(t, most.Load(), int64(50))
		calls := j.all()
		require.GreaterOrEqual(t, len(calls), tasks)
		seen := map[string]int{}
		for _, c := range calls {
			seen[c.in.TaskID]++
		}
		require.Len(t, seen, tasks)
		stop(e, time.Minute)
	})
}

// counting tells how many run at once, and the most there were.
func counting(running, most *atomic.Int64, next invoker) invoker {
	return func(ctx context.Context, in core.Invocation) (core.Outcome, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return next(ctx, in)
	}
}
