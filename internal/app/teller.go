package app

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// teller writes what happens to plugins to the outbox. A change of plugins does
// not wait for the store: while that does not answer, so many events wait for it,
// and further ones are dropped.
type teller struct {
	node  string
	store core.OutboxStore
	clock core.Clock
	log   hclog.Logger
	queue chan core.Message
}

const (
	maxUntold  = 256
	tellTime   = 5 * time.Second
	tellAgain  = time.Second
	tellAtLast = 2 * time.Second // for what waits when the service stops
)

func newTeller(node string, store core.OutboxStore, clock core.Clock, log hclog.Logger) *teller {
	return &teller{node: node, store: store, clock: clock, log: log, queue: make(chan core.Message, maxUntold)}
}

// tell takes an event and returns at once.
func (t *teller) tell(e core.PluginEvent) {
	e.Node = t.node
	select {
	case t.queue <- e.Message(t.clock.Now()):
	default:
		t.log.Warn("an event about a plugin is dropped: the store has taken none for a while", "event", e.Kind, "type", e.Type)
	}
}

// run writes events until ctx ends, and what waits then once more.
func (t *teller) run(ctx context.Context) {
	var left []core.Message
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case m := <-t.queue:
			left = t.write(ctx, append([]core.Message{m}, t.rest()...))
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellAtLast)
	defer cancel()
	if left = append(left, t.rest()...); len(left) > 0 {
		_ = t.store.Tell(last, left) // nobody waits for it any more
	}
}

// rest takes what waits.
func (t *teller) rest() []core.Message {
	var all []core.Message
	for {
		select {
		case m := <-t.queue:
			all = append(all, m)
		default:
			return all
		}
	}
}

// write writes messages, again until the store takes them. It returns what it has
// not written when ctx ends.
func (t *teller) write(ctx context.Context, messages []core.Message) []core.Message {
	for told := false; ctx.Err() == nil; {
		bounded, cancel := context.WithTimeout(ctx, tellTime)
		err := t.store.Tell(bounded, messages)
		cancel()
		if err == nil {
			return nil
		}
		if !told {
			told = true
			t.log.Warn("events about plugins wait for the store", "events", len(messages), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(tellAgain):
		}
	}
	return messages
}
