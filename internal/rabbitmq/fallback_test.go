package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// broken is a queue of which every call but Receive fails.
type broken struct{ core.Queue }

func (broken) Publish(context.Context, []core.QueueItem) error {
	return core.Errorf(core.CodeUnavailable, "broken")
}
func (broken) Depth(context.Context) (int, int, error) { return 0, 0, errors.New("broken") }

func fallback(t testing.TB, primary core.Queue, capacity int) (*rabbitmq.Fallback, *coretest.Clock) {
	clock := coretest.NewClock(t)
	f := rabbitmq.NewFallback(rabbitmq.FallbackConfig{
		Primary: primary, Second: memory.NewQueue(capacity), Pause: time.Minute, Clock: clock,
	})
	t.Cleanup(func() {
		require.NoError(t, f.Close())
		require.NoError(t, f.Close())
	})
	return f, clock
}

func TestFallback(t *testing.T) {
	t.Run("on RabbitMQ", func(t *testing.T) {
		coretest.TestQueue(t, func(t testing.TB, capacity int) core.Queue {
			f, _ := fallback(t, newWorld(t).queue(func(c *rabbitmq.QueueConfig) { c.Capacity = capacity }), capacity)
			return f
		})
	})
	t.Run("on the second queue", func(t *testing.T) {
		coretest.TestQueue(t, func(t testing.TB, capacity int) core.Queue {
			f, _ := fallback(t, broken{memory.NewQueue(1)}, capacity)
			return f
		})
	})
}

// requireComes receives until an item comes. Others may come again: the
// connection was lost before their Ack had arrived.
func requireComes(t testing.TB, q core.Queue, id string) {
	t.Helper()
	for {
		d := receive(t, q, 1)
		_ = d.Ack(t.Context())
		if slices.Contains(ids(d.Items), id) {
			return
		}
	}
}

// Work goes on while RabbitMQ is away, and goes back when it is there again.
func TestFallbackWhileRabbitMQIsAway(t *testing.T) {
	w := newWorld(t)
	f, clock := fallback(t, w.queue(), 10)
	send(t, f, item("before"))
	requireItem(t, f, item("before"))
	require.False(t, f.State().Degraded)

	w.proxy.Cut()
	clock.Advance(time.Second)
	send(t, f, item("lost"))
	requireComes(t, f, "lost")
	state := f.State()
	require.True(t, state.Degraded)
	require.Error(t, state.Reason)
	require.Equal(t, clock.Now(), state.Since)
	waiting, free, err := f.Depth(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{0, 10}, []int{waiting, free})

	send(t, f, item("waits")) // in the second queue when the first comes back
	w.proxy.Heal()
	requireComes(t, f, "waits")
	send(t, f, item("still second"))
	requireComes(t, f, "still second")
	require.Eventually(t, func() bool {
		clock.Advance(time.Minute)
		send(t, f, item("back"))
		requireComes(t, f, "back")
		return !f.State().Degraded
	}, patience, 10*time.Millisecond)
	require.NoError(t, f.State().Reason)
}

// A first look at a lost server also changes sides.
func TestFallbackDepth(t *testing.T) {
	f, _ := fallback(t, broken{memory.NewQueue(1)}, 10)
	waiting, free, err := f.Depth(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{0, 10}, []int{waiting, free})
	require.True(t, f.State().Degraded)
}

// counting is a broken queue that counts what it is offered.
type counting struct {
	broken
	offers int
}

func (c *counting) Publish(ctx context.Context, items []core.QueueItem) error {
	c.offers++
	return c.broken.Publish(ctx, items)
}

// A primary that hangs would cost its timeout each time.
func TestFallbackLeavesTheBrokenAlone(t *testing.T) {
	primary := &counting{broken: broken{memory.NewQueue(1)}}
	f, clock := fallback(t, primary, 10)
	for n := range 3 {
		for i := range 10 {
			send(t, f, item(fmt.Sprint(i)))
		}
		require.Equal(t, n+1, primary.offers)
		clock.Advance(time.Minute)
	}
}

// late brings a delivery at the moment it is told to end.
type late struct {
	core.Queue
	acked bool
}

func (l *late) Receive(ctx context.Context, _ int) (core.Delivery, error) {
	<-ctx.Done()
	return core.Delivery{Items: []core.QueueItem{item("late")}, Ack: func(context.Context) error { l.acked = true; return nil }}, nil
}

func TestFallbackLosesNoDelivery(t *testing.T) {
	primary := &late{Queue: memory.NewQueue(1)}
	other := memory.NewQueue(10)
	send(t, other, item("b"))
	f := rabbitmq.NewFallback(rabbitmq.FallbackConfig{Primary: primary, Second: other})
	d := receive(t, f, 1)
	require.ElementsMatch(t, []string{"b", "late"}, ids(d.Items))
	require.NoError(t, d.Ack(t.Context()))
	require.True(t, primary.acked)
}

func TestFallbackReceivesFromBoth(t *testing.T) {
	primary, second := memory.NewQueue(10), memory.NewQueue(10)
	f := rabbitmq.NewFallback(rabbitmq.FallbackConfig{Primary: primary, Second: second})
	send(t, primary, item("a"))
	send(t, second, item("b"))
	got := map[string]bool{}
	for len(got) < 2 {
		d := receive(t, f, 1)
		for _, id := range ids(d.Items) {
			got[id] = true
		}
		require.NoError(t, d.Ack(t.Context()))
	}
	require.NoError(t, primary.Close())
	send(t, second, item("c"))
	requireItem(t, f, item("c")) // one that is closed does not end the other
	require.NoError(t, f.Close())
	_, err := f.Receive(t.Context(), 1)
	require.Error(t, err)
}
