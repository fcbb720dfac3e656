package engine

import (
	"cmp"
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// Config is what an engine stands on and how much it does at once.
type Config struct {
	Store    core.Store    // required
	Queue    core.Queue    // required
	Locker   core.Locker   // required
	Limiter  core.Limiter  // required
	Invoker  core.Invoker  // required
	Signals  core.Signals  // required
	Observer core.Observer // Defaults to none.
	// Publisher takes the events of the outbox. Defaults to one that drops them.
	Publisher core.Publisher
	// Messenger takes the alerts and the notifications of the outbox. Defaults to
	// one that drops them.
	Messenger core.Messenger
	Logger    hclog.Logger // Defaults to none.
	Clock     core.Clock   // Defaults to the machine's. Only for what observers see; the store decides what is due.

	// Rates are the rate limits of task types. Defaults to none.
	Rates core.Rates
	// Types is what the node can run, for the registry of nodes. Defaults to none.
	Types core.TypeCatalogue
	// Version of the service, for the registry.
	Version string
	// Timetable computes what is due next.
	Timetable core.Timetable
	// Owner names this node on leases. Required; unique among the nodes.
	Owner string
	// Concurrency bounds the executions that run at once. Defaults to 10.
	Concurrency int
	// Receivers is how many claims are on their way at once. While one is, what
	// comes waits for the next, and a claim of many costs hardly more than one of
	// one; two keep the worker busy. Defaults to 2.
	Receivers int
	// LeaseTTL is how long a silent worker keeps its executions; heartbeats
	// come three times as often. Defaults to 10 s.
	LeaseTTL time.Duration
	// Redeliver is how long an execution may be in the queue before it is offered
	// again, in case the queue has lost it. While nothing waits in the queue it is
	// half of LeaseTTL. Defaults to 1 min.
	Redeliver time.Duration
	// Batch bounds the rows of one step. Defaults to 500.
	Batch int
	// Idle is the longest pause between two looks at the store when nothing is
	// known to come due. It only matters after a lost signal or a jump of the
	// store's clock. Defaults to 10 s.
	Idle time.Duration
	// CancelGrace is how long a plugin that was told to end may take before its
	// slot is given away. Defaults to 5 s.
	CancelGrace time.Duration
	// Maintenance is the janitor's interval. Defaults to 1 min.
	Maintenance time.Duration
	// Retention says what the janitor keeps.
	Retention core.Retention
}

func (c Config) withDefaults() Config {
	c.Concurrency = cmp.Or(c.Concurrency, 10)
	c.Receivers = cmp.Or(c.Receivers, 2)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 10*time.Second)
	c.Redeliver = cmp.Or(c.Redeliver, time.Minute)
	c.Batch = cmp.Or(c.Batch, 500)
	c.Idle = cmp.Or(c.Idle, 10*time.Second)
	c.CancelGrace = cmp.Or(c.CancelGrace, 5*time.Second)
	c.Maintenance = cmp.Or(c.Maintenance, time.Minute)
	if c.Observer == nil {
		c.Observer = core.Observers{}
	}
	if c.Publisher == nil {
		c.Publisher = nobody{}
	}
	if c.Messenger == nil {
		c.Messenger = nobody{}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	return c
}

// publishes reports whether there is somebody to take events to.
func (c Config) publishes() bool { return c.Publisher != core.Publisher(nobody{}) }

// nobody listens: what it is told is dropped.
type nobody struct{}

func (nobody) Publish(context.Context, []core.Message) error { return nil }
func (nobody) Deliver(context.Context, core.Message) error   { return nil }
