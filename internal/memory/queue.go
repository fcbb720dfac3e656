package memory

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// redeliverAfter is how long a delivery may stay without an Ack before its
// items come again. It is far longer than a claim takes.
const redeliverAfter = 30 * time.Second

// Queue is a core.Queue with a bounded priority queue: the lowest rank first,
// first in first out within a rank. It is safe for concurrent use.
// Its zero value is not useful; NewQueue makes one.
type Queue struct {
	capacity int

	mu      sync.Mutex
	closed  bool
	arrived int64         // counts items, for the order within a rank
	waiting *index[place] // by execution id
	changed chan struct{} // closed and replaced when a Receive should look again
}

// place is an item and its place in the queue.
type place struct {
	item  core.QueueItem
	order int64
}

// NewQueue returns a queue that holds up to capacity waiting items.
func NewQueue(capacity int) *Queue {
	return &Queue{
		capacity: capacity,
		waiting:  newIndex(byPlace),
		changed:  make(chan struct{}),
	}
}

func byPlace(a, b place) int {
	return cmp.Or(a.item.Rank.Compare(b.item.Rank), cmp.Compare(a.order, b.order))
}

// Publish offers items. Those whose execution waits here already are not taken
// again. When the others do not all fit it fails with RATE_LIMITED.
func (q *Queue) Publish(ctx context.Context, items []core.QueueItem) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errQueueClosed()
	}
	fresh := q.fresh(items)
	if len(q.waiting.entries)+len(fresh) > q.capacity {
		return core.Errorf(core.CodeRateLimited, "queue is full: %d of %d executions wait", len(q.waiting.entries), q.capacity)
	}
	for _, item := range fresh {
		q.arrived++
		q.waiting.set(item.ExecutionID, place{item: item, order: q.arrived})
	}
	if len(fresh) > 0 {
		q.wake()
	}
	return nil
}

// fresh returns the items that do not wait already, each once.
func (q *Queue) fresh(items []core.QueueItem) []core.QueueItem {
	fresh := make([]core.QueueItem, 0, len(items))
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		if _, waits := q.waiting.at[item.ExecutionID]; waits || seen[item.ExecutionID] {
			continue
		}
		seen[item.ExecutionID] = true
		fresh = append(fresh, item)
	}
	return fresh
}

// Receive waits for items and returns up to want of them, at least one.
func (q *Queue) Receive(ctx context.Context, want int) (core.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return core.Delivery{}, fmt.Errorf("receive: %w", err)
		}
		taken, changed, err := q.take(max(1, want))
		if err != nil {
			return core.Delivery{}, err
		}
		if len(taken) > 0 {
			return q.deliver(taken), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// take returns what waits. When there is nothing, changed tells when to look
// again.
func (q *Queue) take(want int) (taken []place, changed <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, nil, errQueueClosed()
	}
	for len(taken) < want {
		id, p, ok := q.waiting.first()
		if !ok {
			break
		}
		q.waiting.remove(id)
		taken = append(taken, p)
	}
	return taken, q.changed, nil
}

// deliver hands places out; they come again unless they are acknowledged.
func (q *Queue) deliver(places []place) core.Delivery {
	again := time.AfterFunc(redeliverAfter, func() { q.redeliver(places) })
	items := make([]core.QueueItem, len(places))
	for i, p := range places {
		items[i] = p.item
	}
	return core.Delivery{Items: items, Ack: func(context.Context) error {
		again.Stop()
		return nil
	}}
}

// redeliver puts items back at their old places, unless they wait again already.
func (q *Queue) redeliver(places []place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for _, p := range places {
		if _, waits := q.waiting.at[p.item.ExecutionID]; !waits {
			q.waiting.set(p.item.ExecutionID, p)
		}
	}
	q.wake()
}

// Depth tells how many items wait and how many more fit.
func (q *Queue) Depth(ctx context.Context) (waiting, free int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, fmt.Errorf("queue depth: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting = len(q.waiting.entries)
	return waiting, max(0, q.capacity-waiting), nil
}

// Close ends the queue: what waits in it is gone, and every Receive and Publish
// fails with UNAVAILABLE. Closing it again does nothing.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		q.wake()
	}
	return nil
}

func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func errQueueClosed() error { return core.Errorf(core.CodeUnavailable, "queue is closed") }

var _ core.Queue = (*Queue)(nil)
