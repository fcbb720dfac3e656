package rabbitmq_test

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/faultproxy"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// timeout bounds the requests of most tests: long for a loopback, short to
	// wait for.
	timeout = time.Second
	// patience is how long a test waits for what must happen.
	patience = 30 * time.Second
)

func serverURL(t testing.TB) string {
	url := os.Getenv("TEST_RABBITMQ_URL")
	switch {
	case url == "" && testing.Short():
		t.Skip("no TEST_RABBITMQ_URL")
	case url == "":
		t.Fatal("set TEST_RABBITMQ_URL to a RabbitMQ server for tests, run `make test`, which starts one, or use -short")
	}
	return url
}

// world is a prefix of its own on the server, reached through a proxy, and a
// connection beside the proxy to look at what is there.
type world struct {
	testing.TB
	prefix string
	url    string // through the proxy
	proxy  *faultproxy.Proxy
	admin  *amqp.Connection
	queues []string // deleted at the end
}

func newWorld(t testing.TB) *world {
	uri, err := amqp.ParseURI(serverURL(t))
	require.NoError(t, err)
	proxy, err := faultproxy.Start(net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)))
	require.NoError(t, err)
	admin, err := amqp.Dial(serverURL(t))
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(proxy.Addr())
	require.NoError(t, err)
	uri.Host = host
	uri.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	w := &world{TB: t, prefix: "test-" + core.NewID(), url: uri.String(), proxy: proxy, admin: admin}
	t.Cleanup(func() {
		w.clean()
		require.NoError(t, admin.Close())
		require.NoError(t, proxy.Close())
	})
	return w
}

// clean deletes what the world may have declared.
func (w *world) clean() {
	ch := w.channel()
	for _, name := range append(w.queues, "work.test", "work.reminder", "work.other", "work-dead", "commands", "commands.retry", "commands.dead") {
		_, err := ch.QueueDelete(w.prefix+"."+name, false, false, false)
		require.NoError(w, err)
	}
	for _, name := range []string{"dead", "events"} {
		require.NoError(w, ch.ExchangeDelete(w.prefix+"."+name, false, false))
	}
}

func (w *world) channel() *amqp.Channel {
	w.Helper()
	ch, err := w.admin.Channel()
	require.NoError(w, err)
	return ch
}

// ready counts the messages that are ready in a queue, -1 when there is none.
func (w *world) ready(queue string) int {
	w.Helper()
	ch := w.channel()
	defer func() { _ = ch.Close() }()
	q, err := ch.QueueDeclarePassive(w.prefix+"."+queue, true, false, false, false, nil)
	if err != nil {
		return -1
	}
	return q.Messages
}

func (w *world) requireReady(queue string, n int) {
	w.Helper()
	require.Eventually(w, func() bool { return w.ready(queue) == n }, patience, 5*time.Millisecond, "%s has %d", queue, w.ready(queue))
}

// get takes a message off a queue, as soon as there is one.
func (w *world) get(queue string) amqp.Delivery {
	w.Helper()
	ch := w.channel()
	var d amqp.Delivery
	require.Eventually(w, func() bool {
		var ok bool
		var err error
		d, ok, err = ch.Get(queue, true)
		require.NoError(w, err)
		return ok
	}, patience, 5*time.Millisecond)
	return d
}

func (w *world) client(change ...func(*rabbitmq.Config)) *rabbitmq.Client {
	w.Helper()
	cfg := rabbitmq.Config{
		URL: w.url, Prefix: w.prefix, Timeout: timeout, Heartbeat: time.Second,
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: logWriter{w}}),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := rabbitmq.Open(cfg)
	require.NoError(w, err)
	w.Cleanup(func() {
		require.NoError(w, c.Close())
		require.NoError(w, c.Close())
	})
	return c
}

// connected waits until the client works.
func connected(t testing.TB, c *rabbitmq.Client) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := c.Check(t.Context()); return err == nil }, patience, 5*time.Millisecond)
}

type logWriter struct{ testing.TB }

func (l logWriter) Write(p []byte) (int, error) {
	l.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// queue opens a connected queue that takes the types "test" and "reminder".
func (w *world) queue(change ...func(*rabbitmq.QueueConfig)) *rabbitmq.Queue {
	w.Helper()
	c := w.client()
	connected(w, c)
	cfg := rabbitmq.QueueConfig{Clock: coretest.NewClock(w)}
	for _, f := range change {
		f(&cfg)
	}
	q := rabbitmq.NewQueue(c, cfg)
	w.Cleanup(func() {
		require.NoError(w, q.Close())
		require.NoError(w, q.Close())
	})
	q.SetTypes([]string{"test", "reminder"})
	return q
}

func item(id string) core.QueueItem { return itemOf("test", id) }

func itemOf(taskType, id string) core.QueueItem {
	return core.QueueItem{ExecutionID: id, Type: taskType, Priority: 5, Rank: coretest.Epoch().Add(-5 * core.AgingStep)}
}

func send(t testing.TB, q core.Queue, items ...core.QueueItem) {
	t.Helper()
	require.NoError(t, q.Publish(t.Context(), items))
}

// receive waits for a delivery.
func receive(t testing.TB, q core.Queue, want int) core.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := q.Receive(ctx, want)
	require.NoError(t, err)
	return d
}

// requireItem receives, acknowledges and compares one item.
func requireItem(t testing.TB, q core.Queue, want core.QueueItem) {
	t.Helper()
	d := receive(t, q, 1)
	require.Equal(t, []core.QueueItem{want}, d.Items)
	require.NoError(t, d.Ack(t.Context()))
}

// requireNothing fails when an item comes within a while.
func requireNothing(t testing.TB, q core.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	d, err := q.Receive(ctx, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded, "%v", d.Items)
}
