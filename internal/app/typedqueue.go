package app

import (
	"context"
	"slices"
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// ownTypes are the task types that this node runs, and tells the broker's queue
// about.
type ownTypes struct {
	take func([]string)

	mu    sync.RWMutex
	types []string
}

func (o *ownTypes) set(types []string) {
	o.mu.Lock()
	o.types = slices.Clone(types)
	o.mu.Unlock()
	o.take(types)
}

func (o *ownTypes) has(taskType string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return slices.Contains(o.types, taskType)
}

// typedQueue hands what no node can run to this one, past the broker, whose
// queue of that type nobody empties: the execution then fails and says why.
// The store gives out such an execution only while no live node has its type.
type typedQueue struct {
	core.Queue
	local core.Queue
	own   *ownTypes
}

// Publish implements core.Queue. A part that is refused is offered again with
// the rest.
func (q typedQueue) Publish(ctx context.Context, items []core.QueueItem) error {
	var known, orphans []core.QueueItem
	for _, item := range items {
		if q.own.has(item.Type) {
			known = append(known, item)
		} else {
			orphans = append(orphans, item)
		}
	}
	if len(orphans) > 0 {
		if err := q.local.Publish(ctx, orphans); err != nil {
			return err
		}
	}
	if len(known) == 0 {
		return nil
	}
	return q.Queue.Publish(ctx, known)
}

var _ core.Queue = typedQueue{}
