package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
)

// leaseTTL is how long a silent node keeps its executions.
const leaseTTL = 10 * time.Second

// node is one engine with its own way to the store and the queue.
type node struct {
	w      *world
	name   string
	engine *engine.Engine
	link   *link
}

// start adds a node.
func (w *world) start() {
	w.named++
	n := &node{w: w, name: fmt.Sprintf("node-%d", w.named)}
	n.link = newLink(w, n.name)
	d := w.source.of("nodes")
	queue := w.queue
	if queue == nil {
		queue = w.newQueue()
	}
	e, err := engine.New(engine.Config{
		Store: remote{Store: w.store, link: n.link}, Queue: carrier{Queue: queue, link: n.link},
		Locker: w.locker, Limiter: meter{Limiter: w.limiter, link: n.link},
		Invoker: invoker{n}, Publisher: speaker{w.outside, n.link}, Signals: postman{Signals: w.signals, link: n.link},
		Clock: skewed(d.between(-5*time.Second, 5*time.Second)), Timetable: w.timetable,
		Owner: n.name, Concurrency: 1 + d.below(6), Receivers: 1 + d.below(3), LeaseTTL: leaseTTL,
		Redeliver: 30 * time.Second, Batch: pick(d, 3, 20, 500),
	})
	if err == nil {
		err = e.Start()
	}
	if err != nil {
		w.trace.violate(nil, "node cannot start: %v", err)
		return
	}
	n.engine = e
	w.nodes = append(w.nodes, n)
	w.trace.note("* %s is started", n.name)
}

// skewed is a node's own clock.
type skewed time.Duration

func (s skewed) Now() time.Time { return time.Now().Add(time.Duration(s)) }

// cutOff keeps a node from the store for a while; it does not know and goes on.
func (n *node) cutOff(d time.Duration) {
	n.w.trace.note("* %s is cut off for %s", n.name, d.Round(time.Millisecond))
	n.link.cutUntil.Store(time.Now().Add(d).UnixNano())
}

// stop drains a node and starts another in its place.
func (w *world) stop(n *node, grace time.Duration) {
	w.trace.note("* %s is stopped with %s of grace", n.name, grace.Round(time.Millisecond))
	w.replace(n, grace)
}

// kill ends a node's effects on the world and starts another in its place.
func (w *world) kill(n *node) {
	w.trace.note("* %s is killed", n.name)
	n.link.dead.Store(true)
	w.replace(n, 0)
}

func (w *world) replace(n *node, grace time.Duration) {
	w.remove(n, grace)
	w.start()
}

// remove ends a node for good.
func (w *world) remove(n *node, grace time.Duration) {
	w.end(n, grace)
	w.nodes = slices.DeleteFunc(w.nodes, func(other *node) bool { return other == n })
}

// end stops an engine while time goes on.
func (w *world) end(n *node, grace time.Duration) {
	w.ending.Go(func() {
		ctx, cancel := context.WithTimeout(bg(), grace)
		defer cancel()
		n.engine.Stop(ctx)
		w.trace.note("* %s is gone", n.name)
	})
}

// postman carries a node's signals, most of them.
type postman struct {
	core.Signals
	link *link
}

// Send loses some.
func (p postman) Send(ctx context.Context, s core.Signal) {
	if p.link.dead.Load() || p.link.unlucky("signal", 0.1) {
		return
	}
	p.Signals.Send(ctx, s)
}
