package rabbitmq_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

func TestQueue(t *testing.T) {
	coretest.TestQueue(t, func(t testing.TB, capacity int) core.Queue {
		return newWorld(t).queue(func(c *rabbitmq.QueueConfig) { c.Capacity = capacity })
	})
}

func items(n int) []core.QueueItem {
	all := make([]core.QueueItem, n)
	for i := range all {
		all[i] = item(fmt.Sprintf("%04d", i))
	}
	return all
}

func ids(list []core.QueueItem) []string {
	all := make([]string, len(list))
	for i := range list {
		all[i] = list[i].ExecutionID
	}
	return all
}

func TestItemsTravelInBundles(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	sent := items(120)
	send(t, q, append(sent, sent...)...) // each once
	require.Equal(t, 3, w.ready("work.test"))
	var got []core.QueueItem
	for len(got) < len(sent) {
		d := receive(t, q, 7)
		require.LessOrEqual(t, len(d.Items), 7)
		got = append(got, d.Items...)
		require.NoError(t, d.Ack(t.Context()))
		require.NoError(t, d.Ack(t.Context()), "a second Ack is no news")
	}
	require.ElementsMatch(t, sent, got)
	w.requireReady("work.test", 0)
	require.NoError(t, q.Close())
	require.Zero(t, w.ready("work.test"), "something was not acknowledged")
}

// An item that has waited is as urgent as a newer one of higher priority.
func TestUrgencyGrowsWithWaiting(t *testing.T) {
	w := newWorld(t)
	clock := coretest.NewClock(t)
	q := w.queue(func(c *rabbitmq.QueueConfig) { c.Clock = clock })
	of := func(id string, priority int, waited time.Duration) core.QueueItem {
		rank := clock.Now().Add(-waited - time.Duration(priority)*core.AgingStep)
		return core.QueueItem{ExecutionID: id, Type: "test", Priority: priority, Rank: rank}
	}
	fresh, old, ancient, early := of("fresh", 5, 0), of("old", 0, 6*core.AgingStep), of("ancient", 0, time.Hour), of("early", 3, -time.Hour)
	for _, i := range []core.QueueItem{early, fresh, old, ancient} {
		send(t, q, i)
	}
	priorities := map[string]uint8{}
	ch := w.channel()
	for range 4 {
		d, ok, err := ch.Get(w.prefix+".work.test", false)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, amqp.Persistent, d.DeliveryMode)
		require.Equal(t, "application/json", d.ContentType)
		require.Equal(t, "60000", d.Expiration)
		priorities[string(d.Body[len(`{"type":"test","items":[{"id":"`):][:3])] = d.Priority
	}
	require.Equal(t, map[string]uint8{"fre": 5, "old": 6, "anc": 10, "ear": 3}, priorities)
	require.NoError(t, ch.Close()) // all go back
	for _, want := range []core.QueueItem{ancient, old, fresh, early} {
		requireItem(t, q, want)
	}
}

// A bundle is acknowledged when the last of its parts is.
func TestABundleComesAgainUntilAllOfItIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	send(t, q, items(3)...)
	first := receive(t, q, 1)
	second := receive(t, q, 5)
	require.Equal(t, []string{"0001", "0002"}, ids(second.Items))
	require.NoError(t, second.Ack(t.Context()))
	require.NoError(t, q.Close())
	require.Equal(t, 1, w.ready("work.test"))
	require.Equal(t, core.CodeUnavailable, core.CodeOf(first.Ack(t.Context())), "the bundle has gone back")

	again := w.queue()
	d := receive(t, again, 5)
	require.Equal(t, items(3), d.Items)
	require.NoError(t, d.Ack(t.Context()))
	require.NoError(t, again.Close())
	require.Zero(t, w.ready("work.test"))
}

func TestItemsComeAgainWithoutAck(t *testing.T) {
	q := newWorld(t).queue(func(c *rabbitmq.QueueConfig) { c.AckTimeout = 50 * time.Millisecond })
	send(t, q, item("a"))
	late := receive(t, q, 1)
	requireItem(t, q, item("a"))
	require.NoError(t, late.Ack(t.Context()), "too late is no error")
}

// A node that takes no more gives back what it holds, so that another may start
// it.
func TestABusyNodeHoldsNothing(t *testing.T) {
	w := newWorld(t)
	busy, idle := w.queue(), w.queue()
	send(t, busy, items(120)...)
	d := receive(t, busy, 1)
	require.NoError(t, d.Ack(t.Context()))
	w.requireReady("work.test", 3)
	seen := map[string]bool{}
	for len(seen) < 120 {
		d := receive(t, idle, 10)
		for _, id := range ids(d.Items) {
			seen[id] = true
		}
		require.NoError(t, d.Ack(t.Context()))
	}
}

// What was given back is not also kept.
func TestWhatIsGivenBackIsGone(t *testing.T) {
	w := newWorld(t)
	a, b := w.queue(), w.queue()
	send(t, a, items(2)...)
	first := receive(t, a, 1)
	w.requireReady("work.test", 1) // given back with what is out
	require.NoError(t, first.Ack(t.Context()), "its part is done, the bundle is another's")
	all := receive(t, b, 5)
	require.Len(t, all.Items, 2)
	require.NoError(t, all.Ack(t.Context()))
	requireNothing(t, a)
	require.NoError(t, b.Close())
	require.Zero(t, w.ready("work.test"))
}

func TestANodeTakesOnlyItsTypes(t *testing.T) {
	w := newWorld(t)
	a, b := w.queue(), w.queue()
	a.SetTypes([]string{"test"})
	b.SetTypes(nil)
	send(t, a, itemOf("reminder", "r"), item("t"), itemOf("other", "o"))
	requireItem(t, a, item("t"))
	requireNothing(t, a)
	requireNothing(t, b)

	b.SetTypes([]string{"reminder", "other"})
	d := receive(t, b, 2)
	for len(d.Items) < 2 {
		more := receive(t, b, 2)
		d.Items = append(d.Items, more.Items...)
	}
	require.ElementsMatch(t, []string{"o", "r"}, ids(d.Items))
	require.NoError(t, b.Close()) // without Ack

	a.SetTypes([]string{"reminder"})
	requireItem(t, a, itemOf("reminder", "r"))
	send(t, a, item("t"))
	requireNothing(t, a)
	require.Equal(t, 1, w.ready("work.test"), "what a node does not take any more waits for others")
}

// Types change while deliveries are on their way: none is lost.
func TestTypesChangeUnderLoad(t *testing.T) {
	w := newWorld(t)
	a, b := w.queue(), w.queue()
	b.SetTypes([]string{"test"})
	send(t, a, items(500)...)
	seen := map[string]bool{}
	for i := 0; len(seen) < 500; i++ {
		q := a
		if i%2 == 0 {
			a.SetTypes([]string{"test", "reminder"})
		} else {
			a.SetTypes([]string{"reminder"})
			q = b
		}
		d := receive(t, q, 50)
		for _, id := range ids(d.Items) {
			seen[id] = true
		}
		require.NoError(t, d.Ack(t.Context()))
	}
}

// Two nodes that do not know of each other's messages: the server itself keeps
// the bound.
func TestTheServerKeepsTheBoundBetweenNodes(t *testing.T) {
	w := newWorld(t)
	small := func(c *rabbitmq.QueueConfig) { c.Capacity = 3 }
	a, b := w.queue(small), w.queue(small)
	send(t, a, item("a0"))
	send(t, b, item("b0")) // both have counted
	send(t, a, item("a1"))
	err := b.Publish(t.Context(), []core.QueueItem{item("b1"), itemOf("reminder", "b2")})
	require.Equal(t, core.CodeRateLimited, core.CodeOf(err), "the other node's are counted when it matters: %v", err)
	require.Equal(t, 3, w.ready("work.test"))
	require.Eventually(t, func() bool {
		waiting, free, err := b.Depth(t.Context())
		return err == nil && waiting == 3 && free == 0
	}, patience, 5*time.Millisecond)
}

// Filled behind the node's back: its own count says that there is room.
func TestTheServerRefusesWhatIsTooMuch(t *testing.T) {
	w := newWorld(t)
	q := w.queue(func(c *rabbitmq.QueueConfig) { c.Capacity = 3 })
	send(t, q, item("a"))
	other := w.channel()
	for range 2 {
		require.NoError(t, other.PublishWithContext(t.Context(), "", w.prefix+".work.test", false, false, amqp.Publishing{}))
	}
	w.requireReady("work.test", 3)
	err := q.Publish(t.Context(), []core.QueueItem{item("x")})
	require.Equal(t, core.CodeRateLimited, core.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "a task type has 3 bundles waiting", "by the server and not by the node's count")
	require.Equal(t, 3, w.ready("work.test"))
}

func TestWhatCannotBeReadIsBuried(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	send(t, q, item("a"))
	ch := w.channel()
	for _, m := range []amqp.Publishing{
		{Body: []byte("{}")},
		{ContentType: "application/json", Type: "bundle.v1", Body: []byte("{")},
		{ContentType: "application/json", Type: "bundle.v1", Body: []byte(`{"type":"test","items":[]}`)},
		{ContentType: "application/json", Type: "bundle.v1", Body: []byte(`{"type":"test","items":[{"id":""}]}`)},
		{ContentType: "application/json", Type: "bundle.v1", Body: make([]byte, 300<<10)},
		{ContentType: "application/json", Type: "bundle.v2", Body: []byte(`{}`), Headers: amqp.Table{"x": "kept"}, Priority: 10},
	} {
		require.NoError(t, ch.PublishWithContext(t.Context(), "", w.prefix+".work.test", false, false, m))
	}
	requireItem(t, q, item("a"))
	send(t, q, item("b"))
	requireItem(t, q, item("b"))
	requireNothing(t, q) // goes on consuming until all are read
	w.requireReady("work-dead", 6)
	reasons := ""
	for range 6 {
		d := w.get(w.prefix + ".work-dead")
		reasons += fmt.Sprintln(d.Headers["x-reason"], d.Headers["x-queue"], d.Headers["x"])
	}
	require.Contains(t, reasons, `read bundle: content type "application/json" and type "bundle.v2" are not those of a bundle `+w.prefix+".work.test kept")
	require.Contains(t, reasons, "307200 bytes are too many")
	require.Contains(t, reasons, "an id is missing")
	require.Zero(t, w.ready("work.test"))
}

func TestAForgottenBundle(t *testing.T) {
	w := newWorld(t)
	q := w.queue(func(c *rabbitmq.QueueConfig) { c.Expiry = 20 * time.Millisecond })
	send(t, q, item("a"))
	w.requireReady("work.test", 0)
	require.Equal(t, -1, w.ready("work-dead"), "what has expired is not buried")
}

// An operator deletes the queues of a running service.
func TestDeletedQueuesComeBack(t *testing.T) {
	w := newWorld(t)
	q := w.queue()
	send(t, q, item("a"))
	requireItem(t, q, item("a")) // consuming
	ch := w.channel()
	_, err := ch.QueueDelete(w.prefix+".work.test", false, false, false)
	require.NoError(t, err)
	send(t, q, item("b"))
	requireItem(t, q, item("b"))
	requireNothing(t, q)
	_, err = ch.QueueDelete(w.prefix+".work.test", false, false, false)
	require.NoError(t, err)
	send(t, q, item("c"))
	requireItem(t, q, item("c"))
}

// An operator deletes a queue, and it is there again before the server's channel
// of the consumer has heard of it: each time that is behind a flood of another
// type, which comes again on every new channel because nobody acknowledges it.
func TestAQueueMadeAgainAtOnceIsConsumed(t *testing.T) {
	const rounds, flood, capacity = 20, 5000, 10_000
	w := newWorld(t)
	q := w.queue(func(c *rabbitmq.QueueConfig) {
		c.Capacity, c.BundleSize, c.Prefetch = capacity, 1, flood
		c.Expiry, c.AckTimeout = time.Hour, time.Hour
	})
	many := make([]core.QueueItem, flood)
	for i := range many {
		many[i] = itemOf("reminder", fmt.Sprint(i))
	}
	send(t, q, many...)
	ch := w.channel()
	for round := range rounds {
		_, err := ch.QueueDelete(w.prefix+".work.test", false, false, true) // no wait: the next request is on its heels
		require.NoError(t, err)
		_, err = ch.QueueDeclare(w.prefix+".work.test", true, false, false, false,
			amqp.Table{"x-max-priority": 10, "x-max-length": capacity, "x-overflow": "reject-publish"})
		require.NoError(t, err)
		after := fmt.Sprint("after ", round)
		send(t, q, item(after))
		sent := time.Now()
		for !slices.Contains(ids(receive(t, q, flood).Items), after) {
			require.Less(t, time.Since(sent), patience, "%s is not received", after)
		}
	}
}

func TestOtherArgumentsAreExplained(t *testing.T) {
	w := newWorld(t)
	_, err := w.channel().QueueDeclare(w.prefix+".work.test", true, false, false, false, amqp.Table{"x-max-priority": 10, "x-max-length": 7, "x-overflow": "reject-publish"})
	require.NoError(t, err)
	q := w.queue()
	err = q.Publish(t.Context(), []core.QueueItem{item("a")})
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err))
	require.ErrorContains(t, err, "queue "+w.prefix+".work.test exists with other arguments than this configuration has (see MAX_QUEUE_SIZE)")
	require.ErrorContains(t, err, "PRECONDITION_FAILED")

	send(t, q, itemOf("reminder", "r"))
	requireItem(t, q, itemOf("reminder", "r")) // other types work
	_, err = q.Check(t.Context())
	trouble, ok := errors.AsType[*rabbitmq.NotConsumedError](err)
	require.True(t, ok, err)
	require.Equal(t, []string{"test"}, trouble.Types)
	require.ErrorContains(t, trouble, "task types are not consumed: test (queue "+w.prefix+".work.test exists with other arguments than this configuration has (see MAX_QUEUE_SIZE)")
	require.NotContains(t, trouble.Error(), "PRECONDITION_FAILED", "the server's words are for the log")
	q.SetTypes([]string{"reminder"})
	_, err = q.Check(t.Context())
	require.NoError(t, err)
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	connected(t, c)
	h, err := c.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, rabbitmq.StateConnected, h.State)
	require.Regexp(t, `^\d+\.\d+`, h.Version)
	require.Positive(t, h.Latency)
	w.proxy.Cut()
	require.Eventually(t, func() bool { h, err = c.Check(t.Context()); return err != nil }, patience, time.Millisecond)
	require.Equal(t, rabbitmq.StateDown, h.State)
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err))
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for _, url := range []string{"", "redis://x", "amqp://a:b:c"} {
		_, err := rabbitmq.Open(rabbitmq.Config{URL: url})
		require.ErrorContains(t, err, "rabbitmq: ")
	}
}

func BenchmarkQueue(b *testing.B) {
	q := newWorld(b).queue(func(c *rabbitmq.QueueConfig) { c.Capacity = 1_000_000 })
	batch := items(500)
	b.ResetTimer()
	for i := 0; i < b.N; i += len(batch) {
		for j := range batch {
			batch[j].ExecutionID = core.NewID()
		}
		send(b, q, batch...)
		for got := 0; got < len(batch); {
			d := receive(b, q, 100)
			got += len(d.Items)
			require.NoError(b, d.Ack(b.Context()))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}
