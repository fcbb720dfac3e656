package core

import (
	"context"
	"time"
)

// Queue carries the ids of executions from the dispatcher to the workers. It
// only saves work: the store decides who may run, so a message that is lost,
// late or doubled costs time and nothing else.
type Queue interface {
	// Publish offers items to the workers. It fails with RATE_LIMITED when the
	// queue is full; then none of the items was taken. An item that is in the
	// queue already may be taken only once.
	Publish(ctx context.Context, items []QueueItem) error
	// Receive waits for items, lowest rank first, and returns at least one.
	// want is how many the caller can start now; a queue whose messages are
	// bundles may return more. It ends with ctx's error.
	Receive(ctx context.Context, want int) (Delivery, error)
	// Depth tells how many items wait and how many more fit.
	Depth(ctx context.Context) (waiting, free int, err error)
	// Close ends the queue; a waiting Receive returns an error.
	Close() error
}

// QueueItem names an execution that is ready.
type QueueItem struct {
	ExecutionID string
	Type        string
	Priority    int
	Rank        time.Time // the order among waiting items, see Execution.Rank
}

// Delivery is a bundle of items for a worker. Ack tells the queue that the
// store has answered for all of them; without it they come again.
type Delivery struct {
	Items []QueueItem
	Ack   func(ctx context.Context) error
}
