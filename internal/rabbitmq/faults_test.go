package rabbitmq_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// requireDown fails unless publishing fails with UNAVAILABLE within a bound.
func requireDown(t testing.TB, q core.Queue, bound time.Duration) {
	t.Helper()
	begun := time.Now()
	err := q.Publish(t.Context(), []core.QueueItem{item("down")})
	require.Less(t, time.Since(begun), bound)
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err), "%v", err)
}

// eventually publishes until it works.
func eventually(t testing.TB, q core.Queue, i core.QueueItem) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool {
		err = q.Publish(t.Context(), []core.QueueItem{i})
		return err == nil
	}, patience, 10*time.Millisecond, "%v", err)
}

// What is not acknowledged when the connection is lost comes again.
func TestCutWhileConsuming(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	send(t, q, items(60)...)
	for got := 0; got < 60; {
		got += len(receive(t, q, 50).Items)
	}
	w.requireReady("work.test", 0)
	w.proxy.Cut()
	requireDown(t, q, timeout)
	_, _, err := q.Depth(t.Context())
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err))
	again := make(chan core.Delivery)
	go func() { // waits while the server is away
		d, err := q.Receive(t.Context(), 50)
		if err != nil {
			t.Error(err)
		}
		again <- d
	}()
	select {
	case d := <-again:
		require.Fail(t, "received without a server", "%v", d.Items)
	case <-time.After(100 * time.Millisecond):
	}
	w.proxy.Heal()
	d := <-again
	seen := map[string]bool{}
	for {
		for _, id := range ids(d.Items) {
			seen[id] = true
		}
		require.NoError(t, d.Ack(t.Context()))
		if len(seen) == 60 {
			break
		}
		d = receive(t, q, 50)
	}
	eventually(t, q, item("after"))
	requireItem(t, q, item("after"))
}

// Connections are lost again and again while nodes publish: what was taken
// arrives, and what was not is an error.
func TestCutWhilePublishing(t *testing.T) {
	const publishers, each = 4, 250
	w := newWorld(t)
	q := w.queue(func(c *rabbitmq.QueueConfig) {
		c.Capacity, c.Expiry = 1_000_000, time.Hour // what is lost must not look like what is refused or has expired
	})
	stop := make(chan struct{})
	var chaos, all sync.WaitGroup
	chaos.Go(func() {
		for range 20 {
			select {
			case <-stop:
				return
			case <-time.After(80 * time.Millisecond):
				w.proxy.Drop()
			}
		}
	})
	var mu sync.Mutex
	taken := map[string]bool{}
	for p := range publishers {
		all.Go(func() {
			for n := 0; n < each; {
				id := fmt.Sprintf("%d-%d", p, n)
				if err := q.Publish(t.Context(), []core.QueueItem{item(id)}); err != nil {
					if core.CodeOf(err) != core.CodeUnavailable {
						t.Errorf("%v", err)
						return
					}
					continue
				}
				n++
				mu.Lock()
				taken[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	close(stop)
	chaos.Wait()
	for len(taken) > 0 {
		d := receive(t, q, 50)
		for _, id := range ids(d.Items) {
			delete(taken, id)
		}
		_ = d.Ack(t.Context()) // comes again if the connection was still being lost
	}
}

// deaf makes a client that does not learn from heartbeats in time.
func deaf(c *rabbitmq.Config) { c.Heartbeat = time.Hour }

// A server that says nothing more: calls end in time, and the connection is
// given up and made again.
func TestBlackhole(t *testing.T) {
	w := newWorld(t)
	c := w.client(deaf)
	connected(t, c)
	q := rabbitmq.NewQueue(c, rabbitmq.QueueConfig{Clock: coretest.NewClock(t)})
	defer func() { require.NoError(t, q.Close()) }()
	q.SetTypes([]string{"test"})
	send(t, q, item("a"))
	d := receive(t, q, 1)
	w.proxy.Blackhole()
	requireDown(t, q, 3*timeout) // waits for a confirm
	requireDown(t, q, 3*timeout) // asks for a channel, or knows
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := q.Receive(ctx, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	begun := time.Now()
	_, err = q.Check(t.Context())
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err))
	require.Less(t, time.Since(begun), 3*timeout)
	w.requireReady("work.test", 0)
	w.proxy.Heal()
	w.proxy.Drop()
	requireItem(t, q, d.Items[0])
	eventually(t, q, item("b"))
}

// The server's own words, as frames of AMQP: it is short of memory, and it is
// not any more.
var (
	wordsBlocked   = []byte("\x01\x00\x00\x00\x00\x00\x08\x00\x0a\x00\x3c\x03low\xce")
	wordsUnblocked = []byte("\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x3d\xce")
)

// A server that takes no messages still gives some.
func TestBlockedServer(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	send(t, q, item("a"))
	require.NoError(t, w.proxy.Tell(wordsBlocked))
	require.Eventually(t, func() bool {
		h, err := q.Check(t.Context())
		return err != nil && h.State == rabbitmq.StateBlocked && h.Version != ""
	}, patience, time.Millisecond)
	begun := time.Now()
	for range 10 {
		requireDown(t, q, timeout)
	}
	require.Less(t, time.Since(begun), timeout, "it is known to be blocked")
	err := q.Publish(t.Context(), []core.QueueItem{item("b")})
	require.ErrorContains(t, err, "the server takes no messages, blocked: low")
	requireItem(t, q, item("a"))
	require.NoError(t, w.proxy.Tell(wordsUnblocked))
	eventually(t, q, item("c"))
	requireItem(t, q, item("c"))
	h, err := q.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, rabbitmq.StateConnected, h.State)
}

// Nobody publishes: the heartbeat alone finds the loss.
func TestHeartbeatFindsABlackhole(t *testing.T) {
	w := newWorld(t)
	c := w.client(func(c *rabbitmq.Config) { c.Timeout = time.Minute })
	connected(t, c)
	q := rabbitmq.NewQueue(c, rabbitmq.QueueConfig{})
	defer func() { require.NoError(t, q.Close()) }()
	w.proxy.Blackhole()
	begun := time.Now()
	require.Eventually(t, func() bool { _, _, err := q.Depth(t.Context()); return err != nil }, patience, 10*time.Millisecond)
	require.Less(t, time.Since(begun), 10*time.Second, "three heartbeats of a second")
	w.proxy.Cut() // ends the attempt to connect, which may take a minute
}

// A full send buffer must not hold a publisher.
func TestBlackholeOfLargeMessages(t *testing.T) {
	w := newWorld(t)
	c := w.client(deaf)
	connected(t, c)
	e := rabbitmq.NewEvents(c)
	defer func() { require.NoError(t, e.Close()) }()
	require.NoError(t, e.Publish(t.Context(), []rabbitmq.Event{event("small")}))
	big := event("big")
	big.Data = []byte(`"` + strings.Repeat("x", 60<<20) + `"`)
	w.proxy.Blackhole()
	begun := time.Now()
	require.Equal(t, core.CodeUnavailable, core.CodeOf(e.Publish(t.Context(), []rabbitmq.Event{big})))
	require.Less(t, time.Since(begun), 20*timeout, "most of it goes into writing the event as JSON")
}

func TestCallersMayGiveUp(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	send(t, q, item("a")) // the channel is open
	w.proxy.Blackhole()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := q.Publish(ctx, []core.QueueItem{item("b")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	w.proxy.Heal()
	eventually(t, q, item("c"))
}

// A queue may be opened, used and closed without a server.
func TestWithoutServer(t *testing.T) {
	w := newWorld(t)
	w.proxy.Cut()
	c := w.client()
	q := rabbitmq.NewQueue(c, rabbitmq.QueueConfig{})
	q.SetTypes([]string{"test"})
	requireDown(t, q, timeout)
	received := make(chan error)
	go func() { _, err := q.Receive(context.Background(), 1); received <- err }()
	require.NoError(t, q.Close())
	require.Equal(t, core.CodeUnavailable, core.CodeOf(<-received))
	require.NoError(t, c.Close())
	w.proxy.Heal()
}

// Closing while everything is on its way loses nothing and ends.
func TestCloseUnderLoad(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	var all sync.WaitGroup
	taken := make(chan string, 100_000)
	for p := range 3 {
		all.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", p, n)
				if q.Publish(t.Context(), []core.QueueItem{item(id)}) != nil {
					return
				}
				taken <- id
			}
		})
		all.Go(func() {
			for {
				if _, err := q.Receive(t.Context(), 1); err != nil {
					return // nothing is acknowledged: all must come again
				}
			}
		})
	}
	for len(taken) < 50 {
		<-time.After(time.Millisecond)
	}
	require.NoError(t, q.Close())
	all.Wait()
	close(taken)
	missing := map[string]bool{}
	for id := range taken {
		missing[id] = true
	}
	again := w.queue()
	for len(missing) > 0 {
		d := receive(t, again, 50)
		for _, id := range ids(d.Items) {
			delete(missing, id)
		}
		require.NoError(t, d.Ack(t.Context()))
	}
}
