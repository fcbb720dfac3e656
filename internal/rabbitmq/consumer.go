package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

// declareAgain is how long a type whose queue cannot be declared is left alone.
const declareAgain = 10 * time.Second

// consumer fills the inbox from the queues of the types it was given, while the
// inbox is wanted. When nobody waits for items any more it stops and gives back
// what nobody took: a busy node must not sit on what another could start.
type consumer struct {
	cfg      QueueConfig
	link     *link
	names    topology
	declarer *declarer
	graves   *publisher
	inbox    *inbox
	poked    chan struct{} // holds one token: look again

	mu       sync.Mutex
	types    []string
	problems map[string]error // by type, why it is not consumed
}

// poke makes the consumer look again. It does not wait.
func (c *consumer) poke() {
	select {
	case c.poked <- struct{}{}:
	default:
	}
}

func (c *consumer) setTypes(types []string) {
	c.mu.Lock()
	c.types = slices.Clone(types)
	maps.DeleteFunc(c.problems, func(t string, _ error) bool { return !slices.Contains(types, t) })
	c.mu.Unlock()
	c.poke()
}

func (c *consumer) consumed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.types
}

// NotConsumedError says which task types' queues cannot be used although the
// server answers. Its text names no address and no secret; Unwrap has what the
// server said.
type NotConsumedError struct {
	Types  []string // sorted
	Reason string   // why, of the first of them
	causes []error
}

func (e *NotConsumedError) Error() string {
	return fmt.Sprintf("task types are not consumed: %s (%s)", strings.Join(e.Types, ", "), e.Reason)
}

// Unwrap returns the cause of each type.
func (e *NotConsumedError) Unwrap() []error { return e.causes }

// troubles returns why types are not consumed, as a NotConsumedError.
func (c *consumer) troubles() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.problems) == 0 {
		return nil
	}
	e := &NotConsumedError{Types: slices.Sorted(maps.Keys(c.problems))}
	for _, t := range e.Types {
		e.causes = append(e.causes, c.problems[t])
	}
	e.Reason = "the queue cannot be declared, the log has the cause"
	if own, ok := errors.AsType[*core.Error](e.causes[0]); ok && mismatch(own) {
		e.Reason = own.Message
	}
	return e
}

// setProblem remembers how the declaration of a type's queue ended.
func (c *consumer) setProblem(taskType string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.problems, taskType)
		return
	}
	c.problems[taskType] = err
}

// serve consumes on one channel until it is lost or ctx ends.
func (c *consumer) serve(ctx context.Context, s *session, ch *amqp.Channel) error {
	closes := ch.NotifyClose(make(chan *amqp.Error, 1))
	if err := s.call(func() error { return ch.Qos(c.cfg.Prefetch, 0, false) }); err != nil {
		return fmt.Errorf("set prefetch: %w", err)
	}
	shift := &shift{consumer: c, session: s, ch: ch, active: map[string]*subscription{}, declared: map[string]bool{}}
	defer shift.end()
	again := time.NewTicker(declareAgain)
	defer again.Stop()
	for {
		if err := shift.reconcile(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err, ok := <-closes:
			if ok {
				return err
			}
			return errors.New("channel lost")
		case <-c.poked:
		case <-again.C:
			clear(shift.refused)
		}
	}
}

// errQueueGone ends a channel on which the server has ended a subscription:
// somebody has deleted the queue. A new channel consumes the next queue of this
// name.
var errQueueGone = errors.New("a queue was deleted")

// shift is the consumer's work on one channel.
type shift struct {
	*consumer
	session  *session
	ch       *amqp.Channel
	active   map[string]*subscription // by type
	declared map[string]bool          // by type
	refused  map[string]bool          // by type: not to be declared for a while
	tags     int
}

// subscription is one queue being consumed.
type subscription struct {
	tag  string
	done chan struct{} // closed when no delivery comes any more
}

func (s *subscription) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// reconcile starts and stops subscriptions so that they are what is wanted.
func (s *shift) reconcile(ctx context.Context) error {
	var want []string
	if s.inbox.isWanted() {
		want = s.consumed()
	}
	stopped := false
	for taskType, sub := range s.active {
		keep := slices.Contains(want, taskType)
		switch {
		case sub.ended():
			return errQueueGone
		case keep:
			continue
		default:
			if err := s.session.call(func() error { return s.ch.Cancel(sub.tag, false) }); err != nil {
				return fmt.Errorf("stop consuming %s: %w", taskType, err)
			}
			<-sub.done
		}
		delete(s.active, taskType)
		stopped = stopped || !keep
	}
	if stopped {
		s.inbox.giveBack(func(p *parcel) bool { return !slices.Contains(want, p.taskType) }, nil)
	}
	for _, taskType := range want {
		if err := s.start(ctx, taskType); err != nil {
			return err
		}
	}
	return nil
}

// start subscribes to a type's queue, unless that is so or cannot be.
func (s *shift) start(ctx context.Context, taskType string) error {
	if s.active[taskType] != nil || s.refused[taskType] {
		return nil
	}
	if ok, err := s.declare(taskType); err != nil || !ok {
		return err
	}
	s.tags++
	sub := &subscription{tag: fmt.Sprintf("%s.%d", taskType, s.tags), done: make(chan struct{})}
	var deliveries <-chan amqp.Delivery
	err := s.session.call(func() (err error) {
		deliveries, err = subscribe(s.ch, s.names.work(taskType), sub.tag)
		return err
	})
	if err != nil {
		return fmt.Errorf("consume %s: %w", taskType, err)
	}
	s.active[taskType] = sub
	go func() {
		defer s.poke()
		defer close(sub.done)
		for d := range deliveries {
			s.accept(ctx, taskType, d)
		}
	}()
	return nil
}

// declare makes sure that a type's queue exists. It reports false when the type
// cannot be consumed for now.
func (s *shift) declare(taskType string) (bool, error) {
	if s.declared[taskType] {
		return true, nil
	}
	_, err := s.declarer.work(s.names, taskType, s.cfg.Capacity)
	s.setProblem(taskType, err)
	switch {
	case err == nil:
		s.declared[taskType] = true
		return true, nil
	case s.session.conn.IsClosed():
		return false, err
	}
	s.link.cfg.Logger.Error("task type is not consumed", "type", taskType, "error", err)
	if s.refused == nil {
		s.refused = map[string]bool{}
	}
	s.refused[taskType] = true
	return false, nil
}

// accept puts a delivery into the inbox, or buries what cannot be read.
func (s *shift) accept(ctx context.Context, taskType string, d amqp.Delivery) {
	items, err := decodeBundle(d.ContentType, d.Type, d.Body)
	if err == nil {
		s.inbox.add(taskType, items, d)
		return
	}
	s.link.cfg.Logger.Warn("message of no use", "queue", s.names.work(taskType), "error", err)
	if err := bury(ctx, s.graves, s.names, deadWork, d, err); err == nil {
		_ = d.Ack(false) // lost with its channel: it comes again and is buried again
		return
	}
	// Given back after a while, so that a server that cannot bury is not flooded.
	time.AfterFunc(s.cfg.AckTimeout, func() { _ = d.Nack(false, true) })
}

// end closes the channel and waits for the subscriptions. The server has back
// what was not acknowledged.
func (s *shift) end() {
	s.session.closeChannel(s.ch)
	for _, sub := range s.active {
		<-sub.done
	}
	s.inbox.drop()
}

// bury publishes a delivery to a dead queue, with the reason in its headers.
func bury(ctx context.Context, graves *publisher, names topology, key string, d amqp.Delivery, reason error) error {
	headers := maps.Clone(d.Headers)
	if headers == nil {
		headers = amqp.Table{}
	}
	headers["x-reason"], headers["x-queue"] = reason.Error(), d.RoutingKey
	return graves.publish(ctx, []outgoing{{
		exchange: names.dead(), key: key, mandatory: true,
		message: amqp.Publishing{
			Headers: headers, ContentType: d.ContentType, DeliveryMode: amqp.Persistent, CorrelationId: d.CorrelationId,
			ReplyTo: d.ReplyTo, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId, Body: d.Body,
		},
	}})
}
