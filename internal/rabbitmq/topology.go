package rabbitmq

import (
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

// maxPriority is the highest priority of a message: that of a task, or one more
// for what has waited long.
const maxPriority = 10

// maxDead bounds each queue of what was given up; the oldest goes.
const maxDead = 1000

// The routing keys of the dead queues.
const (
	deadWork     = "work"
	deadCommands = "commands"
)

// classic is the type of every queue here, also where the server's default is
// another one: quorum queues know neither priorities like these nor the argument of
// subscribe.
const classic = "classic"

// topology names and declares what is used of the server.
type topology struct {
	prefix string
}

func (t topology) work(taskType string) string { return t.prefix + ".work." + taskType }
func (t topology) workDead() string            { return t.prefix + ".work-dead" }
func (t topology) events() string              { return t.prefix + ".events" }
func (t topology) commands() string            { return t.prefix + ".commands" }
func (t topology) commandsRetry() string       { return t.prefix + ".commands.retry" }
func (t topology) commandsDead() string        { return t.prefix + ".commands.dead" }
func (t topology) dead() string                { return t.prefix + ".dead" }

// declareWork declares the queue of a task type and returns how many bundles
// are ready in it. A full queue refuses what comes.
func (t topology) declareWork(ch *amqp.Channel, taskType string, capacity int) (ready int, err error) {
	q, err := ch.QueueDeclare(t.work(taskType), true, false, false, false, amqp.Table{
		"x-queue-type":   classic,
		"x-max-priority": maxPriority,
		"x-max-length":   capacity,
		"x-overflow":     "reject-publish",
	})
	return q.Messages, explain("queue "+t.work(taskType), err)
}

// declareDead declares a queue for what is given up, behind the exchange for it.
func (t topology) declareDead(ch *amqp.Channel, queue, key string) error {
	err := ch.ExchangeDeclare(t.dead(), amqp.ExchangeDirect, true, false, false, false, nil)
	if err == nil {
		_, err = ch.QueueDeclare(queue, true, false, false, false, amqp.Table{
			"x-queue-type": classic, "x-max-length": maxDead, "x-overflow": "drop-head",
		})
	}
	if err == nil {
		err = ch.QueueBind(queue, key, t.dead(), false, nil)
	}
	return explain("queue "+queue, err)
}

func (t topology) declareEvents(ch *amqp.Channel) error {
	return explain("exchange "+t.events(), ch.ExchangeDeclare(t.events(), amqp.ExchangeTopic, true, false, false, false, nil))
}

// declareCommands declares the queues of commands. What waits in the retry
// queue goes back to the first one when its time is up.
func (t topology) declareCommands(ch *amqp.Channel) error {
	if err := t.declareDead(ch, t.commandsDead(), deadCommands); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(t.commands(), true, false, false, false, amqp.Table{"x-queue-type": classic}); err != nil {
		return explain("queue "+t.commands(), err)
	}
	_, err := ch.QueueDeclare(t.commandsRetry(), true, false, false, false, amqp.Table{
		"x-queue-type": classic, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": t.commands(),
	})
	return explain("queue "+t.commandsRetry(), err)
}

// subscribe consumes a queue until the server ends that, as it does when the
// queue is deleted, or the channel is lost.
//
// The argument is what makes the server say that the queue was deleted. Without
// it, RabbitMQ before 4.0 takes a queue of that name which was made at once for
// the old one on another node: it moves the subscription there without a word,
// and then the channel forgets the new queue in place of the old one. It drops
// what that queue delivers and every Ack, and Prefetch messages are held until
// the channel ends. Servers that do not know the argument pass over it.
func subscribe(ch *amqp.Channel, queue, tag string) (<-chan amqp.Delivery, error) {
	return ch.Consume(queue, tag, false, false, false, false, amqp.Table{"x-cancel-on-ha-failover": true})
}

// explain says what to do about a queue or exchange that exists with other
// arguments.
func explain(thing string, err error) error {
	if err == nil {
		return nil
	}
	if !mismatch(err) {
		return fmt.Errorf("declare %s: %w", thing, err)
	}
	return &core.Error{
		Code: core.CodeUnavailable, Err: err,
		Message: thing + " exists with other arguments than this configuration has (see MAX_QUEUE_SIZE); " +
			"give every node the same configuration, or delete it with rabbitmqctl while no node runs: the database offers its work again",
	}
}

// mismatch reports whether something exists with other arguments.
func mismatch(err error) bool {
	e, ok := errors.AsType[*amqp.Error](err)
	return ok && e.Code == amqp.PreconditionFailed
}

// declarer makes requests on a channel of its own: one that the server refuses
// costs the channel, and nothing else must be on it. It is safe for concurrent
// use.
type declarer struct {
	link *link

	mu      sync.Mutex
	session *session
	ch      *amqp.Channel
}

// do makes a request within the timeout.
func (d *declarer) do(request func(ch *amqp.Channel) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, _, err := d.link.look()
	if err != nil {
		return err
	}
	if d.session != s || d.ch.IsClosed() {
		ch, err := s.channel()
		if err != nil {
			return err
		}
		d.session, d.ch = s, ch
	}
	return d.session.call(func() error { return request(d.ch) })
}

// work declares a type's queue, if need be, and counts what is ready in it.
func (d *declarer) work(names topology, taskType string, capacity int) (ready int, err error) {
	err = d.do(func(ch *amqp.Channel) (err error) {
		ready, err = names.declareWork(ch, taskType, capacity)
		return err
	})
	return ready, err
}
