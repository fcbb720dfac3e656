package memory_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestQueue(t *testing.T) {
	coretest.TestQueue(t, func(t testing.TB, capacity int) core.Queue {
		q := memory.NewQueue(capacity)
		t.Cleanup(func() { require.NoError(t, q.Close()) })
		return q
	})
}

func item(id string) core.QueueItem {
	return core.QueueItem{ExecutionID: id, Type: "test", Priority: 5}
}

func TestQueueTakesAnItemOnce(t *testing.T) {
	q := memory.NewQueue(2)
	require.NoError(t, q.Publish(t.Context(), []core.QueueItem{item("a"), item("a"), item("b")}))
	require.NoError(t, q.Publish(t.Context(), []core.QueueItem{item("b")}), "what waits already needs no room")
	d, err := q.Receive(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []core.QueueItem{item("a"), item("b")}, d.Items)
}

func TestQueueGivesAsManyAsWanted(t *testing.T) {
	q := memory.NewQueue(10)
	for i := range 5 {
		require.NoError(t, q.Publish(t.Context(), []core.QueueItem{item(fmt.Sprint(i))}))
	}
	for want, items := range map[int]int{2: 2, 0: 1} {
		d, err := q.Receive(t.Context(), want)
		require.NoError(t, err)
		require.Len(t, d.Items, items)
	}
}

func TestQueueRedeliversWithoutAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memory.NewQueue(10)
		require.NoError(t, q.Publish(t.Context(), []core.QueueItem{item("kept"), item("lost"), item("next")}))
		receive := func() core.Delivery {
			d, err := q.Receive(t.Context(), 1)
			require.NoError(t, err)
			return d
		}
		require.NoError(t, receive().Ack(t.Context()))
		lost := receive()
		require.Equal(t, "lost", lost.Items[0].ExecutionID)
		require.NoError(t, receive().Ack(t.Context()))

		begin := time.Now()
		again := receive() // waits, although nobody publishes
		require.Equal(t, lost.Items, again.Items)
		require.Equal(t, 30*time.Second, time.Since(begin))
		require.NoError(t, again.Ack(t.Context()))

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := q.Receive(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded, "an acknowledged item came again")
	})
}
