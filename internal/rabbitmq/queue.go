package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

// BundleSize is the usual number of items in a full message.
const BundleSize = 50

// QueueConfig is how much a queue holds and how it hands out.
type QueueConfig struct {
	// Capacity is how many bundles may wait: MAX_QUEUE_SIZE. Defaults to 1000.
	// All nodes must agree on it.
	Capacity int
	// BundleSize bounds the items of a message. Defaults to BundleSize.
	BundleSize int
	// Prefetch is how many bundles of each type a node holds while it waits for
	// items. What is held is not reordered by what comes later. Defaults to 2.
	Prefetch int
	// Expiry is how long a bundle may wait before the server forgets it. It
	// should be the time after which the store offers an execution again, so
	// that what is offered again is not in the queue twice. Defaults to 1 min.
	Expiry time.Duration
	// Linger is how long after the last receiver left a node goes on consuming.
	// Defaults to 50 ms.
	Linger time.Duration
	// AckTimeout is how long a bundle may stay without an Ack before it is given
	// back. It is far longer than a claim takes. Defaults to 30 s.
	AckTimeout time.Duration
	// Clock tells how long an item has waited. Defaults to the machine's.
	Clock core.Clock
}

func (c QueueConfig) withDefaults() QueueConfig {
	c.Capacity = cmp.Or(c.Capacity, 1000)
	c.BundleSize = min(cmp.Or(c.BundleSize, BundleSize), maxBundleItems)
	c.Prefetch = cmp.Or(c.Prefetch, 2)
	c.Expiry = cmp.Or(c.Expiry, time.Minute)
	c.Linger = cmp.Or(c.Linger, 50*time.Millisecond)
	c.AckTimeout = cmp.Or(c.AckTimeout, 30*time.Second)
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	return c
}

// Queue is a core.Queue for all nodes that share a RabbitMQ. There is one
// durable queue for each task type, and a node takes only the types that
// SetTypes was given. It is safe for concurrent use. Its zero value is not
// useful; NewQueue makes one.
//
// What a broker makes different:
//
//   - A message is a bundle of items of one type and urgency. Capacity counts
//     bundles, of all types together, so between Capacity and BundleSize times
//     Capacity items wait. One node keeps the bound exactly; when several
//     publish at once each type's queue keeps it alone, and a Publish that
//     fails with RATE_LIMITED may then have left some of its bundles.
//   - Among the bundles at the server the urgency decides, then the order of
//     arrival: the task's priority, plus one for each core.AgingStep that an
//     item had waited when it was published. Among those that have reached the
//     node the rank decides. An item that is overtaken for longer than Expiry is
//     forgotten here, and comes again with a higher urgency from the store.
//   - An item that waits is taken again; the store sorts that out.
//   - Items come again when the connection is lost before the Ack, when no Ack
//     came for AckTimeout, and when another part of their bundle was not asked
//     for in time.
type Queue struct {
	cfg      QueueConfig
	client   *Client
	names    topology
	messages *publisher
	graves   *publisher
	declarer *declarer // publishing side
	inbox    *inbox
	consumer *consumer
	stop     context.CancelFunc
	running  sync.WaitGroup
	depth    *depth
	closed   context.Context // ended by Close
}

// NewQueue returns a queue on a client. It takes no type until SetTypes. Close
// it before the client.
func NewQueue(client *Client, cfg QueueConfig) *Queue {
	cfg = cfg.withDefaults()
	names := topology{prefix: client.cfg.Prefix}
	ctx, stop := context.WithCancel(context.Background())
	q := &Queue{
		cfg: cfg, client: client, names: names, stop: stop, closed: ctx,
		messages: newPublisher(client.publishing, nil),
		graves: newPublisher(client.publishing, func(ch *amqp.Channel) error {
			return names.declareDead(ch, names.workDead(), deadWork)
		}),
		declarer: &declarer{link: client.publishing},
		consumer: &consumer{
			cfg: cfg, link: client.consuming, names: names, declarer: &declarer{link: client.consuming},
			poked: make(chan struct{}, 1), problems: map[string]error{},
		},
	}
	q.inbox = newInbox(cfg.Linger, cfg.AckTimeout, q.consumer.poke)
	q.consumer.inbox, q.consumer.graves = q.inbox, q.graves
	q.depth = &depth{capacity: cfg.Capacity, link: client.publishing, measure: q.measure, ready: map[string]int{}}
	q.running.Go(func() { client.consuming.keep(ctx, "work", q.consumer.serve) })
	return q
}

// SetTypes names the task types this node takes from now on. Bundles of other
// types that nobody has taken yet go back to the server.
func (q *Queue) SetTypes(types []string) { q.consumer.setTypes(types) }

// Check reports what Client.Check does, and fails also when the queue of a type
// cannot be used: then with a NotConsumedError.
func (q *Queue) Check(ctx context.Context) (Health, error) {
	h, err := q.client.Check(ctx)
	if err == nil { // else what is known of the queues is old
		err = q.consumer.troubles()
	}
	return h, err
}

// Publish offers items in the order given. It fails with RATE_LIMITED when the
// queue is full, and with UNAVAILABLE when the server does not take
// responsibility for all of them; then some may be in the queue. It ends within
// a few times Config.Timeout, and at once while the server is known to be away.
func (q *Queue) Publish(ctx context.Context, items []core.QueueItem) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if q.closed.Err() != nil {
		return errQueueClosed()
	}
	messages, counts, err := q.pack(items)
	if err != nil || len(messages) == 0 {
		return err
	}
	err = q.publish(ctx, messages, counts)
	if errors.Is(err, errReturned) { // somebody has deleted a queue
		q.depth.forget()
		err = q.publish(ctx, messages, counts)
	}
	switch {
	case errors.Is(err, errRefused):
		return core.Errorf(core.CodeRateLimited, "queue is full: a task type has %d bundles waiting", q.cfg.Capacity)
	case errors.Is(err, errReturned):
		return unavailable("publish", err)
	}
	return err
}

// publish reserves room and publishes.
func (q *Queue) publish(ctx context.Context, messages []outgoing, counts map[string]int) error {
	if err := q.depth.reserve(counts, q.inbox.len()); err != nil {
		return err
	}
	err := q.messages.publish(ctx, messages)
	if err != nil {
		q.depth.doubt()
	}
	return err
}

// pack makes messages out of items, each item once, and counts them by type.
func (q *Queue) pack(items []core.QueueItem) ([]outgoing, map[string]int, error) {
	type kind struct {
		taskType string
		urgency  uint8
	}
	now := q.cfg.Clock.Now()
	groups, order, seen := map[kind][]core.QueueItem{}, []kind{}, make(map[string]bool, len(items))
	for _, item := range items {
		if seen[item.ExecutionID] {
			continue
		}
		seen[item.ExecutionID] = true
		k := kind{item.Type, urgency(item, now)}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], item)
	}
	var messages []outgoing
	counts := map[string]int{}
	for _, k := range order {
		for rest := groups[k]; len(rest) > 0; {
			n := min(len(rest), q.cfg.BundleSize)
			m, err := q.message(k.taskType, k.urgency, rest[:n])
			if err != nil {
				return nil, nil, err
			}
			messages, rest = append(messages, m), rest[n:]
			counts[k.taskType]++
		}
	}
	return messages, counts, nil
}

func (q *Queue) message(taskType string, urgency uint8, items []core.QueueItem) (outgoing, error) {
	body, err := encodeBundle(taskType, items)
	if err != nil {
		return outgoing{}, fmt.Errorf("publish: %w", err)
	}
	return outgoing{
		key: q.names.work(taskType), mandatory: true,
		message: amqp.Publishing{
			ContentType: bundleContentType, Type: bundleType, DeliveryMode: amqp.Persistent, Priority: urgency,
			Expiration: strconv.FormatInt(q.cfg.Expiry.Milliseconds(), 10), Body: body,
		},
	}, nil
}

// urgency is the priority of a message: how many steps of aging lie between an
// item's rank and now. That is the task's priority, and one more for each step
// that it has waited.
func urgency(item core.QueueItem, now time.Time) uint8 {
	steps := now.Sub(item.Rank) / core.AgingStep
	return uint8(min(max(steps, time.Duration(item.Priority), 0), maxPriority))
}

// Receive waits for items, also while the server is away, and returns up to
// want of them, at least one. It ends with ctx's error.
func (q *Queue) Receive(ctx context.Context, want int) (core.Delivery, error) {
	return q.inbox.receive(ctx, want)
}

// Depth tells how many bundles wait, of all types this node publishes or
// consumes, and how many more fit. It may be a moment old. It fails with
// UNAVAILABLE while the server is away.
func (q *Queue) Depth(ctx context.Context) (waiting, free int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, fmt.Errorf("queue depth: %w", err)
	}
	if q.closed.Err() != nil {
		return 0, 0, errQueueClosed()
	}
	ready, err := q.depth.total(q.consumer.consumed())
	if err != nil {
		return 0, 0, err
	}
	waiting = ready + q.inbox.len()
	return waiting, max(0, q.cfg.Capacity-waiting), nil
}

// measure declares a type's queue, if need be, and counts what is ready in it.
func (q *Queue) measure(taskType string) (ready int, err error) {
	return q.declarer.work(q.names, taskType, q.cfg.Capacity)
}

// Close ends the queue on this node: a waiting Receive fails with UNAVAILABLE
// and what was not acknowledged goes back to the server. Closing again does
// nothing.
func (q *Queue) Close() error {
	q.stop()
	q.inbox.close()
	q.running.Wait()
	q.messages.close()
	q.graves.close()
	return nil
}

var _ core.Queue = (*Queue)(nil)
