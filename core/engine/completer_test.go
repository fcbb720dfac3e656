package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// picky is a store that refuses a group of ends in which one has the effect
// poison, or everything while it is full.
type picky struct {
	core.Store
	full  atomic.Bool
	away  atomic.Bool
	leave atomic.Bool  // away from the first refusal on
	tries atomic.Int64 // that it refused
}

const poison = "poison"

func (p *picky) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	if p.away.Load() {
		return nil, core.Errorf(core.CodeUnavailable, "away")
	}
	for _, d := range done {
		for _, w := range d.Effects.State {
			if w.Key == poison {
				p.tries.Add(1)
				p.away.Store(p.leave.Load())
				return nil, fmt.Errorf("unsupported Unicode escape sequence: %w", core.ErrRefused)
			}
		}
	}
	if p.full.Load() {
		return nil, errors.New("disk full")
	}
	return p.Store.Finish(ctx, done)
}

// brings is an invoker whose runs all end at the same time. The one of the task
// bad brings the poison.
func brings(bad string) invoker {
	return func(_ context.Context, in core.Invocation) (core.Outcome, error) {
		time.Sleep(time.Minute)
		key := "fine"
		if in.TaskID == bad {
			key = poison
		}
		return core.Outcome{
			Result: json.RawMessage(`1`), Plugin: "x@1.0.0", Logs: []core.LogLine{{Message: "line"}},
			Effects: core.Effects{State: []core.StateWrite{{Owner: "x", Key: key, Value: json.RawMessage(`1`)}}},
		}, nil
	}
}

// An end that the store never takes holds up no other, and its execution ends.
func TestAnEndThatTheStoreRefusesIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		store := &picky{Store: w.store}
		bad := w.task()
		e := w.node(brings(bad.ID), func(c *engine.Config) { c.Store = store })
		poisoned := w.execute(bad)
		var fine []core.Execution
		for range 5 {
			fine = append(fine, w.execute(w.task()))
		}
		time.Sleep(time.Minute + time.Second)
		for _, x := range fine {
			require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status, "it does not wait for the other one")
		}
		require.Equal(t, core.StatusRunning, w.execution(poisoned.ID).Status, "it is tried for a while")
		time.Sleep(time.Minute)
		x := w.execution(poisoned.ID)
		require.Equal(t, core.StatusFailed, x.Status)
		require.Equal(t, core.CodeResultRefused, *x.ErrorCode)
		require.Equal(t, "x@1.0.0", x.Plugin)
		require.Len(t, x.Attempts, 1, "another attempt would bring the same")
		require.Nil(t, x.Result)
		require.NotContains(t, *x.Error, "Unicode", "the cause is for the log")
		tried := store.tries.Load()
		time.Sleep(time.Hour)
		require.Equal(t, tried, store.tries.Load(), "no more")
		stop(e, time.Second)
	})
}

// A store that takes nothing, or does not answer, is waited for: the results are
// not at fault.
func TestResultsOutliveAStoreThatTakesNothing(t *testing.T) {
	for name, broken := range map[string]func(*picky) *atomic.Bool{
		"full": func(p *picky) *atomic.Bool { return &p.full }, "away": func(p *picky) *atomic.Bool { return &p.away },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				store := &picky{Store: w.store}
				e := w.node(brings(""), func(c *engine.Config) { c.Store = store })
				a, b := w.execute(w.task()), w.execute(w.task())
				broken(store).Store(true)
				time.Sleep(10 * time.Minute)
				broken(store).Store(false)
				time.Sleep(time.Minute)
				for _, x := range []core.Execution{a, b} {
					require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
				}
				stop(e, time.Second)
			})
		})
	}
}

// A store that ceases to answer while each end of a refused group is written by
// itself is waited for as ever.
func TestTheRestOfARefusedGroupOutlivesAStoreThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		store := &picky{Store: w.store}
		bad := w.task()
		e := w.node(brings(bad.ID), func(c *engine.Config) { c.Store = store })
		poisoned := w.execute(bad)
		var fine []core.Execution
		for range 5 {
			fine = append(fine, w.execute(w.task()))
		}
		store.leave.Store(true)
		time.Sleep(10 * time.Minute)
		require.Equal(t, core.StatusRunning, w.execution(poisoned.ID).Status)
		store.leave.Store(false)
		store.away.Store(false)
		time.Sleep(time.Minute)
		for _, x := range fine {
			require.Equal(t, core.StatusSucceeded, w.execution(x.ID).Status)
		}
		require.Equal(t, core.StatusFailed, w.execution(poisoned.ID).Status)
		stop(e, time.Second)
	})
}
