package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/redis"
)

// listening starts n nodes and waits until all of them hear.
func (w *world) listening(n int) []*redis.Signals {
	nodes := make([]*redis.Signals, n)
	for i := range nodes {
		nodes[i] = redis.NewSignals(w.open())
		w.Cleanup(func() { require.NoError(w, nodes[i].Close()) })
	}
	w.requireListeners(n)
	return nodes
}

func (w *world) requireListeners(n int) {
	w.Helper()
	channel := w.prefix + ":signals"
	require.Eventually(w, func() bool {
		count, err := w.direct.PubSubNumSub(context.Background(), channel).Result()
		return err == nil && count[channel] == int64(n)
	}, 20*time.Second, 5*time.Millisecond)
}

func TestSignals(t *testing.T) {
	coretest.TestSignals(t, func(t testing.TB) core.Signals { return newWorld(t).listening(1)[0] })
}

// pair sends on one node and listens on another.
type pair struct{ from, to *redis.Signals }

func (p pair) Send(ctx context.Context, s core.Signal) { p.from.Send(ctx, s) }
func (p pair) Subscribe() (<-chan core.Signal, func()) { return p.to.Subscribe() }

func TestSignalsBetweenNodes(t *testing.T) {
	coretest.TestSignals(t, func(t testing.TB) core.Signals {
		nodes := newWorld(t).listening(2)
		return pair{nodes[0], nodes[1]}
	})
}

func next(t testing.TB, ch <-chan core.Signal) core.Signal {
	t.Helper()
	select {
	case s := <-ch:
		return s
	case <-time.After(20 * time.Second):
		require.Fail(t, "no signal came")
		return core.Signal{}
	}
}

func TestSignalsComeBackAfterALoss(t *testing.T) {
	w := newWorld(t)
	nodes := w.listening(2)
	here, endHere := nodes[0].Subscribe()
	defer endHere()
	there, endThere := nodes[1].Subscribe()
	defer endThere()
	signal := core.Signal{Kind: core.SignalFinished, ExecutionID: "while away"}

	w.proxy.Cut()
	w.requireListeners(0)
	begun := time.Now()
	for range 10_000 { // more than the buffers hold
		nodes[0].Send(t.Context(), signal)
	}
	require.Less(t, time.Since(begun), timeout, "sending waited for Redis")
	require.Equal(t, signal, next(t, here), "this node needs no Redis for its own")

	w.proxy.Heal()
	w.requireListeners(2)
	nodes[0].Send(t.Context(), core.Signal{Kind: core.SignalPlan})
	for next(t, there).Kind != core.SignalPlan {
	}
}

// What a node hears of itself through Redis it has delivered already. Redis
// keeps the order, so an echo would come before the next message.
func TestSignalsDoNotEcho(t *testing.T) {
	w := newWorld(t)
	nodes := w.listening(2)
	here, endHere := nodes[0].Subscribe()
	defer endHere()
	there, endThere := nodes[1].Subscribe()
	defer endThere()
	nodes[0].Send(t.Context(), core.Signal{Kind: core.SignalFinished, ExecutionID: "a"})
	require.Equal(t, "a", next(t, there).ExecutionID)
	nodes[1].Send(t.Context(), core.Signal{Kind: core.SignalFinished, ExecutionID: "b"})
	require.Equal(t, "a", next(t, here).ExecutionID)
	require.Equal(t, "b", next(t, here).ExecutionID)
}

// A Redis that says nothing does not hold the sender, however much it sends.
func TestSignalsDoNotWaitForRedis(t *testing.T) {
	w := newWorld(t)
	node := w.listening(1)[0]
	w.proxy.Blackhole()
	begun := time.Now()
	for range 20_000 {
		node.Send(t.Context(), core.Signal{Kind: core.SignalPlan})
	}
	require.Less(t, time.Since(begun), timeout)
}

func TestSignalsIgnoreWhatTheyCannotRead(t *testing.T) {
	w := newWorld(t)
	node := w.listening(1)[0]
	ch, end := node.Subscribe()
	defer end()
	for _, text := range []string{"", "{", "null", `{"kind": 7}`, `{"node":"other","kind":"cancel","executionId":"x","more":1}`} {
		require.NoError(t, w.direct.Publish(t.Context(), w.prefix+":signals", text).Err())
	}
	got := next(t, ch)
	if got == (core.Signal{}) { // null is an empty message
		got = next(t, ch)
	}
	require.Equal(t, core.Signal{Kind: core.SignalCancel, ExecutionID: "x"}, got)
}

func TestSignalsCloseEndsSubscriptions(t *testing.T) {
	node := newWorld(t).listening(1)[0]
	ch, end := node.Subscribe()
	require.NoError(t, node.Close())
	require.NoError(t, node.Close())
	_, open := <-ch
	require.False(t, open)
	end()
	node.Send(t.Context(), core.Signal{Kind: core.SignalPlan})
	late, endLate := node.Subscribe()
	endLate()
	_, open = <-late
	require.False(t, open, "a subscription to closed signals")
}
