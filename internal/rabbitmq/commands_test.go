package rabbitmq_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// commands starts to handle commands, with short delays.
func (w *world) commands(handler rabbitmq.Handler, change ...func(*rabbitmq.CommandsConfig)) *rabbitmq.Commands {
	client := w.client()
	connected(w, client)
	cfg := rabbitmq.CommandsConfig{Handler: handler, RetryDelay: 30 * time.Millisecond, MaxBody: 1000}
	for _, f := range change {
		f(&cfg)
	}
	c := rabbitmq.NewCommands(client, cfg)
	w.Cleanup(func() {
		require.NoError(w, c.Close())
		require.NoError(w, c.Close())
	})
	w.requireReady("commands", 0)
	return c
}

// command sends a command and wants the reply in a queue of its own.
func (w *world) command(m amqp.Publishing) (replies string) {
	ch := w.channel()
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(w, err)
	m.ReplyTo = q.Name
	require.NoError(w, ch.PublishWithContext(context.Background(), "", w.prefix+".commands", false, false, m))
	return q.Name
}

func create(id string) amqp.Publishing {
	return amqp.Publishing{Type: "create", MessageId: id, CorrelationId: "c-" + id, Body: []byte(`{"name":"x"}`), DeliveryMode: amqp.Persistent}
}

func TestCommandsAreAnswered(t *testing.T) {
	w := newWorld(t)
	got := make(chan rabbitmq.Command, 1)
	w.commands(func(_ context.Context, c rabbitmq.Command) rabbitmq.Reply {
		got <- c
		return rabbitmq.Reply{Body: json.RawMessage(`{"id":"7"}`)}
	})
	replies := w.command(create("k1"))
	require.Equal(t, rabbitmq.Command{
		Name: "create", Body: json.RawMessage(`{"name":"x"}`), IdempotencyKey: "k1", CorrelationID: "c-k1", ReplyTo: replies, Attempt: 1,
	}, <-got)
	r := w.get(replies)
	require.Equal(t, "c-k1", r.CorrelationId)
	require.Equal(t, "create", r.Type)
	require.Equal(t, "application/json", r.ContentType)
	require.JSONEq(t, `{"id":"7"}`, string(r.Body))
	w.requireReady("commands", 0)
	require.Zero(t, w.ready("commands.dead"))
}

// Nobody waits for the reply any more, or ever did.
func TestCommandsWithoutReply(t *testing.T) {
	w := newWorld(t)
	var ran sync.WaitGroup
	ran.Add(2)
	c := w.commands(func(context.Context, rabbitmq.Command) rabbitmq.Reply { ran.Done(); return rabbitmq.Reply{} })
	for _, replyTo := range []string{"", "gone"} {
		m := create("k")
		m.ReplyTo = replyTo
		require.NoError(t, w.channel().PublishWithContext(t.Context(), "", w.prefix+".commands", false, false, m))
	}
	ran.Wait()
	require.NoError(t, c.Close())
	require.Zero(t, w.ready("commands"), "a command was not acknowledged")
}

func TestCommandsAreTriedAgain(t *testing.T) {
	w := newWorld(t)
	attempts := make(chan time.Time, 10)
	w.commands(func(_ context.Context, c rabbitmq.Command) rabbitmq.Reply {
		attempts <- time.Now()
		if c.Attempt < 3 {
			return rabbitmq.Reply{Body: json.RawMessage(`"early"`), Retry: errors.New("database is away")}
		}
		return rabbitmq.Reply{Body: json.RawMessage(fmt.Sprint(c.Attempt))}
	})
	replies := w.command(create("k"))
	r := w.get(replies)
	require.Equal(t, "3", string(r.Body), "one reply, the last")
	require.Equal(t, "c-k", r.CorrelationId)
	first, second := <-attempts, <-attempts
	require.GreaterOrEqual(t, second.Sub(first), 25*time.Millisecond)
	require.Zero(t, w.ready("commands.dead"))
}

func TestCommandsAreGivenUp(t *testing.T) {
	w := newWorld(t)
	w.commands(func(_ context.Context, c rabbitmq.Command) rabbitmq.Reply {
		if c.Name == "panic" {
			panic("of the handler")
		}
		return rabbitmq.Reply{Body: json.RawMessage(`{"error":"UNAVAILABLE"}`), Retry: errors.New("database is away")}
	}, func(c *rabbitmq.CommandsConfig) { c.Attempts = 3 })
	replies := w.command(create("k"))
	require.JSONEq(t, `{"error":"UNAVAILABLE"}`, string(w.get(replies).Body))
	dead := w.get(w.prefix + ".commands.dead")
	require.Equal(t, "given up after 3 attempts: database is away", dead.Headers["x-reason"])
	require.Equal(t, create("k").Body, dead.Body)
	require.Equal(t, "k", dead.MessageId)

	m := create("p")
	m.Type = "panic"
	require.Equal(t, "null", string(w.get(w.command(m)).Body))
	require.Equal(t, "given up after 3 attempts: the handler panicked: of the handler", w.get(w.prefix + ".commands.dead").Headers["x-reason"])
	w.requireReady("commands", 0)
}

// What is no command is answered, told to the operator and put among the dead.
func TestPoisonousCommandsAreAnsweredAndBuried(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	var mu sync.Mutex
	client := w.client(func(c *rabbitmq.Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &mu, Level: hclog.Warn})
	})
	connected(w, client)
	c := rabbitmq.NewCommands(client, rabbitmq.CommandsConfig{
		MaxBody: 1000,
		Handler: func(_ context.Context, c rabbitmq.Command) rabbitmq.Reply {
			t.Errorf("handled %s", c.Body)
			return rabbitmq.Reply{}
		},
		Unreadable: func(err error) json.RawMessage {
			raw, _ := json.Marshal(err.Error())
			return raw
		},
	})
	defer func() { require.NoError(t, c.Close()) }()
	w.requireReady("commands", 0)
	reasons := map[string]amqp.Publishing{
		"INVALID_REQUEST: the message has no property type, which names the command": {Body: []byte(`{}`)},
		"INVALID_REQUEST: the body is not JSON":                                      {Type: "create", Body: []byte(`{hunter2`)},
		"PAYLOAD_TOO_LARGE: the body has 1001 bytes, and 1000 are the most":          {Type: "create", Body: make([]byte, 1001)},
	}
	for reason, m := range reasons {
		m.CorrelationId = "mine"
		replies := w.command(m)
		require.Equal(t, reason, w.get(w.prefix + ".commands.dead").Headers["x-reason"])
		answer := w.get(replies)
		require.Equal(t, "mine", answer.CorrelationId)
		require.JSONEq(t, strconv.Quote(reason), string(answer.Body))
	}
	w.requireReady("commands", 0)
	mu.Lock()
	defer mu.Unlock()
	for reason := range reasons {
		require.Contains(t, log.String(), reason)
	}
	require.NotContains(t, log.String(), "hunter2")
}

func TestCommandsRunAtOnceUpToABound(t *testing.T) {
	w := newWorld(t)
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	w.commands(func(context.Context, rabbitmq.Command) rabbitmq.Reply {
		entered <- struct{}{}
		<-leave
		return rabbitmq.Reply{}
	}, func(c *rabbitmq.CommandsConfig) { c.Concurrency = 2 })
	for range 5 {
		w.command(create("k"))
	}
	<-entered
	<-entered
	w.requireReady("commands", 3)
	require.Empty(t, entered)
	close(leave)
	for range 3 {
		<-entered
	}
}

// The queue is deleted and there again before the server's channel of the
// consumer has heard of it, which is behind a flood of acknowledgements.
func TestACommandsQueueMadeAgainAtOnceIsConsumed(t *testing.T) {
	const rounds, flood = 20, 1000
	w := newWorld(t)
	after := make(chan string, 10*rounds)
	w.commands(func(_ context.Context, c rabbitmq.Command) rabbitmq.Reply {
		if c.Name == "after" {
			after <- c.IdempotencyKey
		}
		return rabbitmq.Reply{}
	}, func(c *rabbitmq.CommandsConfig) { c.Concurrency = flood })
	ch, name := w.channel(), w.prefix+".commands"
	publish := func(command, key string) {
		require.NoError(t, ch.PublishWithContext(t.Context(), "", name, false, false, amqp.Publishing{Type: command, MessageId: key, Body: []byte("{}")}))
	}
	for round := range rounds {
		for range flood {
			publish("flood", "")
		}
		_, err := ch.QueueDelete(name, false, false, true) // no wait: the next request is on its heels
		require.NoError(t, err)
		_, err = ch.QueueDeclare(name, true, false, false, false, nil)
		require.NoError(t, err)
		key := fmt.Sprint(round)
		publish("after", key)
		for got, end := "", time.After(patience); got != key; { // an earlier one may come again
			select {
			case got = <-after:
			case <-end:
				t.Fatalf("round %d: the command is not carried out", round)
			}
		}
	}
}

// The connection is lost while a handler runs: the command comes again.
func TestCutWhileACommandRuns(t *testing.T) {
	w := newWorld(t)
	var once sync.Once
	w.commands(func(_ context.Context, c rabbitmq.Command) rabbitmq.Reply {
		once.Do(w.proxy.Drop)
		return rabbitmq.Reply{Body: json.RawMessage(`"done ` + c.IdempotencyKey + `"`)}
	})
	replies := w.command(create("k"))
	require.JSONEq(t, `"done k"`, string(w.get(replies).Body))
	w.requireReady("commands", 0)
}

// Closing tells the handlers, waits for them and keeps what they have done.
func TestCloseWaitsForCommands(t *testing.T) {
	w := newWorld(t)
	entered := make(chan struct{}, 2)
	c := w.commands(func(ctx context.Context, c rabbitmq.Command) rabbitmq.Reply {
		entered <- struct{}{}
		<-ctx.Done()
		if c.Name == "create" {
			return rabbitmq.Reply{Body: json.RawMessage(`"done"`)}
		}
		return rabbitmq.Reply{Retry: ctx.Err()}
	})
	replies := w.command(create("k"))
	unfinished := create("u")
	unfinished.Type = "other"
	w.command(unfinished)
	<-entered
	<-entered
	require.NoError(t, c.Close())
	require.JSONEq(t, `"done"`, string(w.get(replies).Body))
	stays := w.get(w.prefix + ".commands")
	require.Equal(t, "u", stays.MessageId, "the unfinished one stays")
	require.Empty(t, stays.Headers, "our end counted as an attempt")
	require.Zero(t, w.ready("commands"))
}
