package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// TestWhatWasQueuedStartsAfterTheClockWasSetBack queues an execution behind
// another one and sets the clock back before its turn: it starts when its time
// has come again, and holds no slot until then.
func TestWhatWasQueuedStartsAfterTheClockWasSetBack(t *testing.T) {
	for _, back := range []time.Duration{200 * time.Millisecond, time.Hour} {
		t.Run(back.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				clock := w.settable()
				var j journal
				e := w.node(j.record(taking(100*time.Millisecond)), func(c *engine.Config) { c.Concurrency, c.Clock = 1, clock })
				key := policy(func(p *core.Policy) { p.ConcurrencyKey = "k" })
				w.execute(w.task(named("first")))
				time.Sleep(50 * time.Millisecond)
				w.execute(w.task(named("queued"), key))
				time.Sleep(10 * time.Millisecond)
				clock.by.Store(int64(-back))
				begin := time.Now()
				time.Sleep(100 * time.Millisecond)
				w.execute(w.task(named("new"), key))
				time.Sleep(2 * time.Hour)
				stop(e, time.Second)
				calls := j.all()
				require.Len(t, calls, 3)
				starts := map[string]time.Duration{}
				for _, c := range calls {
					starts[c.in.TaskName] = c.at.Sub(begin)
				}
				require.Less(t, starts["new"], 500*time.Millisecond, "what was queued holds the slot")
				require.GreaterOrEqual(t, starts["queued"], back-10*time.Millisecond, "started early")
				require.Less(t, starts["queued"], back+500*time.Millisecond)
			})
		})
	}
}

// TestDependantsRunAfterTheClockWasSetBack: successes count although they are
// earlier, by the clock, than those before it was set back.
func TestDependantsRunAfterTheClockWasSetBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		clock := w.settable()
		e := w.node(instantly, func(c *engine.Config) { c.Clock = clock })
		source := w.task(named("source"))
		task := w.task(named("task"), after(source))
		w.execute(source)
		time.Sleep(time.Second)
		require.Len(t, w.history(task.ID), 1)
		clock.by.Store(int64(-time.Hour))
		for n := range 70 { // longer than the clock was set back
			w.execute(source)
			time.Sleep(time.Minute)
			require.Len(t, w.history(task.ID), n+2)
		}
		stop(e, time.Second)
		for _, x := range w.history(task.ID) {
			require.Equal(t, core.StatusSucceeded, x.Status)
		}
	})
}
