package coretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// patience is how long the suites wait for what must happen, and briefly how
// long they watch that something does not.
const (
	patience = 20 * time.Second
	briefly  = 50 * time.Millisecond
)

// TestQueue proves that a queue keeps the contract of core.Queue. open returns
// an empty queue that holds up to capacity items; it is closed by t.Cleanup.
// That items come again without an Ack is left to the adapter's own tests: only
// it knows after how long.
//
// A queue may keep items in bundles of one type and priority that were sent
// together, and count those. Where the suite counts it sends items that are a
// bundle each: alone, or of different priorities.
func TestQueue(t *testing.T, open func(t testing.TB, capacity int) core.Queue) {
	s := queueSuite{open: open}
	s.run(t, "items arrive as they were sent", 10, queueRoundTrip)
	s.run(t, "the highest priority comes first, then the first to come", 10, queueOrder)
	s.run(t, "an item that waits already may be sent again", 10, queueTwice)
	s.run(t, "a full queue takes none of the items", 3, queueFull)
	s.run(t, "room comes back when items are received", 2, queueRoom)
	s.run(t, "the depth counts what waits and what fits", 5, queueDepth)
	s.run(t, "a receiver waits for the next item", 10, queueWaits)
	s.run(t, "a receiver ends with its context", 10, queueContext)
	s.run(t, "closing ends a waiting receiver", 10, queueClose)
	s.run(t, "no item is lost between many senders and receivers", 1000, queueHammer)
}

type queueSuite struct {
	open func(t testing.TB, capacity int) core.Queue
}

func (s queueSuite) run(t *testing.T, behaviour string, capacity int, prove func(f *queueFixture)) {
	t.Run(behaviour, func(t *testing.T) {
		prove(&queueFixture{TB: t, Queue: s.open(t, capacity)})
	})
}

type queueFixture struct {
	testing.TB
	core.Queue
}

func queueItem(id string, priority int) core.QueueItem {
	e := core.Execution{CreatedAt: Epoch(), Policy: core.Policy{Priority: priority}}
	return core.QueueItem{ExecutionID: id, Type: "test", Priority: priority, Rank: e.Rank()}
}

func (f *queueFixture) send(items ...core.QueueItem) {
	f.Helper()
	require.NoError(f, f.Publish(f.Context(), items))
}

// receive takes and acknowledges deliveries until it has n items.
func (f *queueFixture) receive(n int) (items []core.QueueItem) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	for len(items) < n {
		d, err := f.Receive(ctx, n-len(items))
		require.NoError(f, err, "received %d of %d", len(items), n)
		require.NotEmpty(f, d.Items)
		items = append(items, d.Items...)
		require.NoError(f, d.Ack(ctx))
	}
	return items
}

// requireEmpty fails when an item comes.
func (f *queueFixture) requireEmpty() {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), briefly)
	defer cancel()
	d, err := f.Receive(ctx, 1)
	require.ErrorIs(f, err, context.DeadlineExceeded, "received %v", d.Items)
}

func queueRoundTrip(f *queueFixture) {
	f.send()
	want := []core.QueueItem{{ExecutionID: core.NewID(), Type: "reminder", Priority: 7}}
	f.send(want...)
	require.Equal(f, want, f.receive(1))
	f.requireEmpty()
}

func queueOrder(f *queueFixture) {
	low, first, second, high := queueItem("low", 0), queueItem("first", 5), queueItem("second", 5), queueItem("high", 9)
	f.send(low, first)
	f.send(second)
	f.send(high)
	require.Equal(f, []core.QueueItem{high, first, second, low}, f.receive(4))
}

func queueTwice(f *queueFixture) {
	item := queueItem("a", 5)
	f.send(item, item)
	f.send(item)
	require.Equal(f, item, f.receive(1)[0])
	f.send(item) // it does not wait any more: it must come again
	require.Contains(f, f.receive(1), item)
}

func queueFull(f *queueFixture) {
	a, b := queueItem("a", 5), queueItem("b", 5)
	f.send(a)
	f.send(b)
	requireCode(f, core.CodeRateLimited, f.Publish(f.Context(), []core.QueueItem{queueItem("c", 9), queueItem("d", 8)}))
	waiting, free, err := f.Depth(f.Context())
	require.NoError(f, err)
	require.Equal(f, []int{2, 1}, []int{waiting, free})
	require.Equal(f, []core.QueueItem{a, b}, f.receive(2))
	f.requireEmpty()
}

func queueRoom(f *queueFixture) {
	f.send(queueItem("a", 5), queueItem("b", 6))
	requireCode(f, core.CodeRateLimited, f.Publish(f.Context(), []core.QueueItem{queueItem("c", 5)}))
	f.receive(2)
	f.send(queueItem("c", 5), queueItem("d", 6))
	require.Len(f, f.receive(2), 2)
}

func queueDepth(f *queueFixture) {
	for n := range 4 {
		waiting, free, err := f.Depth(f.Context())
		require.NoError(f, err)
		require.Equal(f, []int{n, 5 - n}, []int{waiting, free})
		f.send(queueItem(fmt.Sprint(n), 5))
	}
}

func queueWaits(f *queueFixture) {
	received := make(chan []core.QueueItem, 1)
	go func() {
		d, err := f.Receive(f.Context(), 5)
		if err == nil {
			err = d.Ack(f.Context())
		}
		if err != nil {
			d.Items = nil
		}
		received <- d.Items
	}()
	select {
	case items := <-received:
		require.Fail(f, "received from an empty queue", "%v", items)
	case <-time.After(briefly):
	}
	f.send(queueItem("a", 5))
	select {
	case items := <-received:
		require.Equal(f, []core.QueueItem{queueItem("a", 5)}, items)
	case <-time.After(patience):
		require.Fail(f, "the receiver was not woken")
	}
}

func queueContext(f *queueFixture) {
	f.requireEmpty()
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, err := f.Receive(ctx, 1)
	require.ErrorIs(f, err, context.Canceled)
	require.Error(f, f.Publish(ctx, []core.QueueItem{queueItem("a", 5)}))
	f.requireEmpty()
}

func queueClose(f *queueFixture) {
	ended := make(chan error, 1)
	go func() {
		_, err := f.Receive(context.WithoutCancel(f.Context()), 1)
		ended <- err
	}()
	time.Sleep(briefly)
	require.NoError(f, f.Close())
	select {
	case err := <-ended:
		require.Error(f, err)
	case <-time.After(patience):
		require.Fail(f, "the receiver still waits")
	}
	require.Error(f, f.Publish(f.Context(), []core.QueueItem{queueItem("a", 5)}))
}

func queueHammer(f *queueFixture) {
	const senders, receivers, each = 4, 4, 50
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]bool{}
	errs := make([]error, senders+receivers)
	together(senders+receivers, func(i int) {
		if i < senders {
			for n := range each {
				errs[i] = errors.Join(errs[i], f.Publish(f.Context(), []core.QueueItem{queueItem(fmt.Sprintf("%d-%d", i, n), n%3)}))
			}
			return
		}
		for {
			d, err := f.Receive(ctx, 3)
			if err != nil {
				return // cancelled when all have come, or out of patience
			}
			errs[i] = errors.Join(errs[i], d.Ack(f.Context()))
			mu.Lock()
			for _, item := range d.Items {
				seen[item.ExecutionID] = true
			}
			all := len(seen) == senders*each
			mu.Unlock()
			if all {
				cancel()
			}
		}
	})
	require.NoError(f, errors.Join(errs...))
	require.Len(f, seen, senders*each)
}
