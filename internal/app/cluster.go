package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
	"github.com/nexuscore/scheduler/internal/redis"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// orphaned is how long an execution may be in a queue that dies with its node
// before other nodes take it: as long as one that ran there.
const orphaned = 10 * time.Second

// cluster opens the database that nodes share, and what makes many of them
// faster. Only the database must be there when the service starts.
func (o opening) cluster(ctx context.Context) (*backends, error) {
	if err := os.MkdirAll(o.cfg.DataDir, 0o700); err != nil { // compiled plugins are kept there
		return nil, fmt.Errorf("create DATA_DIR: %w", err)
	}
	store, err := sqlstore.OpenPostgres(ctx, sqlstore.PostgresConfig{URL: o.cfg.DatabaseURL.Reveal(), Logger: o.log.Named("store")})
	if err != nil {
		return nil, err
	}
	o.closes("store", store)
	// What waits in this node's own queue no other node can take, so it holds no
	// more than it soon runs.
	local := memory.NewQueue(min(o.cfg.MaxQueueSize, 2*o.cfg.MaxConcurrentTasks))
	o.closes("queue", local)
	b := &backends{
		store: store, queue: local, locker: store.Locker(), limiter: store.Limiter(), shared: true,
		redeliver: orphaned, take: func([]string) {}, storeName: "postgres", storePlace: placeOf(o.cfg.DatabaseURL.Reveal()), queueName: "memory", locksName: "postgres",
	}
	if err := o.redis(ctx, b, store); err != nil {
		return nil, err
	}
	if err := o.rabbitmq(b, local); err != nil {
		return nil, err
	}
	return b, nil
}

// redis puts leases, limits and signals on Redis, and leaves them to the
// database while it does not answer.
func (o opening) redis(ctx context.Context, b *backends, store *sqlstore.Postgres) error {
	if o.cfg.RedisURL == "" {
		signals, err := store.Signals(ctx)
		if err != nil {
			return err
		}
		o.closes("signals", signals)
		b.signals = signals
		return nil
	}
	log := o.log.Named("redis")
	client, err := redis.Open(redis.Config{URL: o.cfg.RedisURL.Reveal(), Prefix: o.cfg.QueuePrefix, Logger: log, Clock: o.clock})
	if err != nil {
		return err
	}
	o.closes("redis", client)
	both := redis.NewFallback(redis.FallbackConfig{
		Locker: redis.NewLocker(client), Limiter: redis.NewLimiter(client),
		SecondLocker: b.locker, SecondLimiter: b.limiter, Logger: log, Clock: o.clock,
	})
	signals := redis.NewSignals(client)
	o.closes("signals", signals)
	b.locker, b.limiter, b.signals, b.locksName = both, both, signals, "redis"
	b.checkLocks = func(ctx context.Context) api.HealthCheck {
		c := timed(ctx, "redis", func(ctx context.Context) (map[string]any, error) {
			h, err := client.Check(ctx)
			if err != nil {
				return nil, errAway
			}
			return map[string]any{"version": h.Version, "degraded": both.State().Degraded}, nil
		})
		if c.Status == api.HealthDown {
			c.Details = map[string]any{"inUse": "postgres"}
		}
		return c
	}
	return nil
}

// rabbitmq hands executions over RabbitMQ, and in process while it is away.
func (o opening) rabbitmq(b *backends, local core.Queue) error {
	if o.cfg.RabbitMQURL == "" {
		return nil
	}
	log := o.log.Named("rabbitmq")
	client, err := rabbitmq.Open(rabbitmq.Config{
		URL: o.cfg.RabbitMQURL.Reveal(), Prefix: o.cfg.QueuePrefix, Node: o.cfg.NodeID, Logger: log, Clock: o.clock,
	})
	if err != nil {
		return err
	}
	o.closes("rabbitmq", client)
	work := rabbitmq.NewQueue(client, rabbitmq.QueueConfig{Capacity: o.cfg.MaxQueueSize, Prefetch: o.prefetch(), Clock: o.clock})
	both := rabbitmq.NewFallback(rabbitmq.FallbackConfig{Primary: work, Second: local, Logger: log, Clock: o.clock})
	o.closes("work queue", both)
	events := rabbitmq.NewEvents(client)
	o.closes("events", events)
	own := &ownTypes{take: work.SetTypes}
	b.queue, b.take, b.queueName = typedQueue{Queue: both, local: local, own: own}, own.set, "rabbitmq"
	b.publisher, b.redeliver = cloudEvents{events}, 0 // its queue outlives the nodes
	b.broker = &broker{client: client, log: log}
	b.checkQueue = func(ctx context.Context) api.HealthCheck {
		c := timed(ctx, "rabbitmq", func(ctx context.Context) (map[string]any, error) {
			h, err := work.Check(ctx)
			details := map[string]any{"state": h.State}
			if err != nil {
				return details, spoken(err)
			}
			details["version"] = h.Version
			waiting, free, err := b.queue.Depth(ctx)
			details["waiting"], details["free"] = waiting, free
			return details, err
		})
		if c.Details == nil { // a look that did not end in time
			c.Details = map[string]any{}
		}
		c.Details["inUse"] = "rabbitmq"
		if both.State().Degraded {
			c.Details["inUse"] = "memory"
		}
		return c
	}
	return nil
}

// spoken is what a health page says of an error of the queue.
func spoken(err error) error {
	if e, ok := errors.AsType[*rabbitmq.NotConsumedError](err); ok {
		return e
	}
	return errAway
}

// prefetch is how many bundles this node holds: no more than hold twice what it
// can run at once, because what it holds nobody else takes.
func (o opening) prefetch() int {
	wanted := (2*o.cfg.MaxConcurrentTasks + rabbitmq.BundleSize - 1) / rabbitmq.BundleSize
	return min(wanted, o.cfg.QueueConcurrency)
}

// placeOf names a server without what must not be shown.
func placeOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "unknown"
	}
	return u.Host + u.Path
}
