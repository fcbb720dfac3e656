package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

// Command is a message of the queue <prefix>.commands.
type Command struct {
	Name           string          // the property type. Required.
	Body           json.RawMessage // the body
	IdempotencyKey string          // the property message-id, "" when there is none
	CorrelationID  string          // the property correlation-id
	ReplyTo        string          // the property reply-to: the queue for the reply, "" for none
	Attempt        int             // 1 for the first
}

// Reply is what a handler makes of a command.
type Reply struct {
	Body json.RawMessage // for the sender, who gets it when the command has ended
	// Retry says that the command failed for a reason that may pass. It is tried
	// again; after the last attempt it is given up and Body is sent.
	Retry error
}

// Handler carries a command out. It must end soon after ctx does. Several may
// run at once. The same command may come again after a lost connection: the
// idempotency key tells.
type Handler func(ctx context.Context, c Command) Reply

// CommandsConfig is how commands are carried out.
type CommandsConfig struct {
	Handler Handler // required
	// Unreadable makes the reply's body to a message that is no command, out of an
	// error that is a *core.Error. nil leaves such messages without a reply.
	Unreadable func(err error) json.RawMessage
	// Concurrency bounds the handlers that run at once. Defaults to 5.
	Concurrency int
	// Attempts is how often a command is tried. Defaults to 5.
	Attempts int
	// RetryDelay is the time between two attempts, the same for all. Defaults to
	// 5 s.
	RetryDelay time.Duration
	// MaxBody bounds a command's body in bytes. Defaults to 1 MiB.
	MaxBody int
}

func (c CommandsConfig) withDefaults() CommandsConfig {
	c.Concurrency = cmp.Or(c.Concurrency, 5)
	c.Attempts = cmp.Or(c.Attempts, 5)
	c.RetryDelay = cmp.Or(c.RetryDelay, 5*time.Second)
	c.MaxBody = cmp.Or(c.MaxBody, 1<<20)
	return c
}

// attemptHeader counts the attempts that a message has behind it.
const attemptHeader = "x-attempts"

// Commands hands the messages of <prefix>.commands to a handler, at least once
// each. A message is acknowledged when its reply is with the server, or when
// the server keeps it for another attempt or among the dead. What cannot be
// read (no name, no JSON, too large) goes to <prefix>.commands.dead at once,
// with the reason in the header x-reason, after its reply. Its zero value is not useful;
// NewCommands makes one.
type Commands struct {
	cfg     CommandsConfig
	client  *Client
	names   topology
	replies *publisher
	moves   *publisher    // to the retry and dead queues
	slots   chan struct{} // a token is a running handler
	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewCommands starts to consume commands. Close it before the client.
func NewCommands(client *Client, cfg CommandsConfig) *Commands {
	names := topology{prefix: client.cfg.Prefix}
	ctx, stop := context.WithCancel(context.Background())
	cfg = cfg.withDefaults()
	c := &Commands{
		cfg: cfg, client: client, names: names, stop: stop, slots: make(chan struct{}, cfg.Concurrency),
		replies: newPublisher(client.publishing, nil),
		moves:   newPublisher(client.publishing, names.declareCommands),
	}
	c.running.Go(func() { client.consuming.keep(ctx, "commands", c.serve) })
	return c
}

// Close ends the handlers' context and waits for them. A command that was not
// finished stays in its queue. Closing again does nothing.
func (c *Commands) Close() error {
	c.stop()
	c.running.Wait()
	c.replies.close()
	c.moves.close()
	return nil
}

// serve consumes on one channel until it is lost or ctx ends.
func (c *Commands) serve(ctx context.Context, s *session, ch *amqp.Channel) error {
	var deliveries <-chan amqp.Delivery
	err := s.call(func() (err error) {
		if err = c.names.declareCommands(ch); err != nil {
			return err
		}
		if err = ch.Qos(c.cfg.Concurrency, 0, false); err != nil {
			return err
		}
		deliveries, err = subscribe(ch, c.names.commands(), "commands")
		return err
	})
	if err != nil {
		return err
	}
	return c.consume(ctx, deliveries)
}

// consume hands deliveries out until there are no more or ctx ends. Only in the
// second case it waits for the handlers: they need the channel to settle.
func (c *Commands) consume(ctx context.Context, deliveries <-chan amqp.Delivery) error {
	var handlers sync.WaitGroup
	for {
		select {
		case <-ctx.Done():
			handlers.Wait()
			return ctx.Err()
		case d, ok := <-deliveries:
			if !ok {
				return errors.New("channel or queue lost")
			}
			c.slots <- struct{}{} // waits only for handlers that an earlier channel has left behind
			handlers.Add(1)
			c.running.Go(func() {
				defer func() { <-c.slots; handlers.Done() }()
				c.handle(ctx, d)
			})
		}
	}
}

// handle carries one command out and settles its message. What cannot be
// settled stays without an answer until it is given back.
func (c *Commands) handle(ctx context.Context, d amqp.Delivery) {
	command := Command{
		Name: d.Type, Body: d.Body, IdempotencyKey: d.MessageId,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Attempt: attempts(d.Headers) + 1,
	}
	err := c.check(command)
	if err != nil {
		c.settle(ctx, d, c.refuse(ctx, d, command, err))
		return
	}
	reply := c.safely(ctx, command)
	if reply.Retry != nil && ctx.Err() != nil {
		return // we are ending: another node carries it out
	}
	// The outcome is kept also when we are ending.
	kept := context.WithoutCancel(ctx)
	switch {
	case reply.Retry == nil:
		err = c.reply(kept, command, reply)
	case command.Attempt < c.cfg.Attempts:
		err = c.later(kept, d, command.Attempt)
	default:
		if err = c.reply(kept, command, reply); err == nil {
			err = bury(kept, c.moves, c.names, deadCommands, d, fmt.Errorf("given up after %d attempts: %w", command.Attempt, reply.Retry))
		}
	}
	c.settle(ctx, d, err)
}

// settle acknowledges a message, or gives it back after a while when what had
// to happen first failed.
func (c *Commands) settle(ctx context.Context, d amqp.Delivery, err error) {
	if err == nil {
		err = d.Ack(false)
	} else {
		c.client.cfg.Logger.Warn("command comes again", "name", d.Type, "message_id", d.MessageId, "error", err)
		pause(ctx, c.cfg.RetryDelay)
		err = d.Nack(false, true)
	}
	if err != nil {
		c.client.cfg.Logger.Debug("command comes again", "name", d.Type, "message_id", d.MessageId, "error", err)
	}
}

// check says what makes a message no command.
func (c *Commands) check(command Command) error {
	switch {
	case command.Name == "":
		return core.Errorf(core.CodeInvalidRequest, "the message has no property type, which names the command")
	case len(command.Body) > c.cfg.MaxBody:
		return core.Errorf(core.CodePayloadTooLarge, "the body has %d bytes, and %d are the most", len(command.Body), c.cfg.MaxBody)
	case !json.Valid(command.Body):
		return core.Errorf(core.CodeInvalidRequest, "the body is not JSON")
	}
	return nil
}

// refuse answers a message that is no command and puts it among the dead.
func (c *Commands) refuse(ctx context.Context, d amqp.Delivery, command Command, reason error) error {
	c.client.cfg.Logger.Warn("command cannot be read", "name", d.Type, "message_id", d.MessageId, "reason", reason)
	if c.cfg.Unreadable != nil {
		if err := c.reply(ctx, command, Reply{Body: c.cfg.Unreadable(reason)}); err != nil {
			return err
		}
	}
	return bury(ctx, c.moves, c.names, deadCommands, d, reason)
}

// attempts reads how often a message was tried; a header that is no such number
// counts as none.
func attempts(headers amqp.Table) int {
	if n, ok := headers[attemptHeader].(int32); ok && n > 0 {
		return int(n)
	}
	return 0
}

// safely turns a panic of the handler into a failure that may pass: the next
// attempt may meet another state, and the attempts are bounded.
func (c *Commands) safely(ctx context.Context, command Command) (reply Reply) {
	defer func() {
		if r := recover(); r != nil {
			c.client.cfg.Logger.Error("command handler panicked", "name", command.Name, "panic", r)
			reply = Reply{Retry: fmt.Errorf("the handler panicked: %v", r)}
		}
	}()
	return c.cfg.Handler(ctx, command)
}

// reply sends a reply to whoever wants one. A sender that is gone is no
// failure.
func (c *Commands) reply(ctx context.Context, command Command, r Reply) error {
	if command.ReplyTo == "" {
		return nil
	}
	body := r.Body
	if body == nil {
		body = json.RawMessage("null")
	}
	err := c.replies.publish(ctx, []outgoing{{key: command.ReplyTo, mandatory: true, message: amqp.Publishing{
		ContentType: "application/json", CorrelationId: command.CorrelationID, Type: command.Name, Body: body,
	}}})
	if errors.Is(err, errReturned) || errors.Is(err, errRefused) {
		c.client.cfg.Logger.Warn("nobody takes the reply to a command", "name", command.Name, "reply_to", command.ReplyTo, "error", err)
		return nil
	}
	return err
}

// later moves a message to the queue of those that are tried again. All have
// the same delay, so none waits behind a later one.
func (c *Commands) later(ctx context.Context, d amqp.Delivery, attempt int) error {
	headers := maps.Clone(d.Headers)
	if headers == nil {
		headers = amqp.Table{}
	}
	headers[attemptHeader] = int32(attempt)
	return c.moves.publish(ctx, []outgoing{{key: c.names.commandsRetry(), mandatory: true, message: amqp.Publishing{
		Headers: headers, ContentType: d.ContentType, DeliveryMode: amqp.Persistent, CorrelationId: d.CorrelationId,
		ReplyTo: d.ReplyTo, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId,
		Expiration: strconv.FormatInt(c.cfg.RetryDelay.Milliseconds(), 10), Body: d.Body,
	}}})
}
