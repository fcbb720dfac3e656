package engine_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// watched is a store that notes how much is planned in one step, and in which
// order the tasks come up.
type watched struct {
	core.Store
	mu    sync.Mutex
	steps []int // decisions of each step that planned something
	order []string
}

func (s *watched) PlanDue(ctx context.Context, limit int, decide func(time.Time, core.DueTask) core.Plan) (core.PlanReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.order)
	time.Sleep(time.Millisecond) // a step takes its time, so that what it makes has an age
	report, err := s.Store.PlanDue(ctx, limit, func(now time.Time, d core.DueTask) core.Plan {
		p := decide(now, d)
		if !p.Later {
			s.order = append(s.order, d.Task.ID)
		}
		return p
	})
	if n := len(s.order) - before; n > 0 {
		s.steps = append(s.steps, n)
	}
	return report, err
}

// TestAWeekOfflineDoesNotEndInAStampede starts a node on ten thousand tasks that
// nobody looked at for a week: they are planned in bounded steps and start, the
// longest due first, no more at once than there are slots. Each catches up once.
func TestAWeekOfflineDoesNotEndInAStampede(t *testing.T) {
	tasks := 10_000
	if testing.Short() {
		tasks = 1000
	}
	const slots, batch = 50, 200
	bubble(t, func(t *testing.T, w *world) {
		var made []string // in the order of their due times
		for i := range tasks {
			task := w.task(every(time.Hour+time.Duration(i)*time.Millisecond), policy(func(p *core.Policy) { p.Misfire.WindowMs = core.MillisOf(8 * 24 * time.Hour) }))
			made = append(made, task.ID)
		}
		time.Sleep(7 * 24 * time.Hour)
		var running, most atomic.Int64
		var j journal
		store := &watched{Store: w.store}
		e := w.node(j.record(counting(&running, &most, taking(100*time.Millisecond))), func(c *engine.Config) {
			c.Concurrency, c.Batch, c.Store = slots, batch, store
		})
		time.Sleep(time.Minute)
		stop(e, time.Minute)
		require.LessOrEqual(t, most.Load(), int64(slots))
		require.LessOrEqual(t, slices.Max(store.steps), batch)
		require.Equal(t, made, firsts(store.order), "the longest due is planned first")
		var started []string
		for _, c := range j.all() {
			started = append(started, c.in.TaskID)
		}
		started = firsts(started)
		require.Len(t, started, tasks)
		place := map[string]int{}
		for i, id := range started {
			place[id] = i
		}
		for i, id := range made { // those that start at one instant do so in any order
			require.InDelta(t, i, place[id], slots, "task %d", i)
		}
	})
}

// firsts lists each id where it comes first.
func firsts(ids []string) []string {
	seen := map[string]bool{}
	var first []string
	for _, id := range ids {
		if !seen[id] {
			first = append(first, id)
		}
		seen[id] = true
	}
	return first
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
