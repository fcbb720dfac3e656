package app

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// OnStop adds a clean-up.
func (a *App) OnStop(name string, run func(context.Context) error) { a.onStop(name, run) }

// HasForTheRest sets how long everything after the drain may take together.
func (a *App) HasForTheRest(d time.Duration) { a.stopTime = d }

// GCPercent and KeepHeadroom are what a service does about its heap.
var (
	GCPercent    = gcPercent
	KeepHeadroom = keepHeadroom
)

// Faults watches an engine.
type Faults = faults

// NewFaults makes Faults.
func NewFaults(clock core.Clock) *Faults { return newFaults(clock) }

// Handle carries out a command as one that came by message.
func Handle(a *App, ctx context.Context, c rabbitmq.Command) rabbitmq.Reply {
	return commands{a.api, a.store}.handle(ctx, c)
}

// NewTypedQueue makes a queue that hands what is not own past the broker's.
func NewTypedQueue(broker, local core.Queue, own ...string) core.Queue {
	types := &ownTypes{take: func([]string) {}}
	types.set(own)
	return typedQueue{Queue: broker, local: local, own: types}
}

// Roster is a roster that looks when it is told to.
type Roster struct{ *roster }

// NewRoster makes a Roster.
func NewRoster(clock core.Clock, node string, nodes core.NodeStore, types core.TypeCatalogue, take func([]string)) Roster {
	return Roster{&roster{
		node: node, nodes: nodes, types: types, take: take, log: hclog.NewNullLogger(), clock: clock, shared: true, orphans: map[string]time.Time{},
	}}
}

// Look looks at this node's types and at the other nodes.
func (r Roster) Look(ctx context.Context) {
	r.lookAtOwn()
	r.lookAtNodes(ctx)
}

// NewClusterTypes makes what the API knows of types that other nodes run.
func NewClusterTypes(r Roster) core.TypeCatalogue {
	return clusterTypes{host: host.New(host.Config{}), roster: r.roster}
}

// Leaves reports whether the node leaves a type to others.
func (r Roster) Leaves(taskType string) bool { return r.leaves(taskType) }

// EngineConfig opens what the configuration asks for, and gives what an engine
// needs of it. The node takes these types.
func EngineConfig(ctx context.Context, cfg config.Config, types []string, onStop func(stop func())) (engine.Config, error) {
	o := opening{cfg: cfg, log: hclog.NewNullLogger(), clock: core.SystemClock{}, onStop: func(_ string, run func(context.Context) error) {
		onStop(func() { _ = run(context.Background()) })
	}}
	b, err := o.backends(ctx)
	if err != nil {
		return engine.Config{}, err
	}
	b.take(types)
	return engine.Config{
		Store: b.store, Queue: b.queue, Locker: b.locker, Limiter: b.limiter, Signals: b.signals, Publisher: b.publisher, Redeliver: b.redeliver,
	}, nil
}

// TroubleWith names the trouble that an error is about.
func TroubleWith(err error) string { return string(troubleWith(err)) }

// Spoken is what GET /health says of an error of the queue.
func Spoken(err error) error { return spoken(err) }
