package rabbitmq_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

func event(id string) rabbitmq.Event {
	return rabbitmq.Event{
		ID: id, Type: "scheduler.execution.finished", Source: "/scheduler", Subject: "tasks/7",
		Time: coretest.Epoch().Add(123456 * time.Microsecond), Data: json.RawMessage(`{"n": 1}`),
	}
}

func (w *world) events() *rabbitmq.Events {
	c := w.client()
	connected(w, c)
	e := rabbitmq.NewEvents(c)
	w.Cleanup(func() {
		require.NoError(w, e.Close())
		require.NoError(w, e.Close())
	})
	return e
}

// listen binds a queue to some events and returns its name.
func (w *world) listen(pattern string) string {
	ch := w.channel()
	require.NoError(w, ch.ExchangeDeclare(w.prefix+".events", "topic", true, false, false, false, nil))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(w, err)
	require.NoError(w, ch.QueueBind(q.Name, pattern, w.prefix+".events", false, nil))
	return q.Name
}

func TestEventsAreCloudEvents(t *testing.T) {
	w := newWorld(t)
	queue := w.listen("scheduler.execution.*")
	e := w.events()
	other := event("other")
	other.Type, other.Data, other.Subject = "scheduler.task.created", nil, ""
	require.NoError(t, e.Publish(t.Context(), []rabbitmq.Event{other, event("one"), event("two")}))
	require.NoError(t, e.Publish(t.Context(), nil))
	d := w.get(queue)
	require.Equal(t, "application/cloudevents+json", d.ContentType)
	require.Equal(t, "scheduler.execution.finished", d.RoutingKey)
	require.Equal(t, "one", d.MessageId)
	require.Equal(t, amqp.Persistent, d.DeliveryMode)
	require.JSONEq(t, `{"specversion":"1.0","id":"one","type":"scheduler.execution.finished","source":"/scheduler","subject":"tasks/7",
		"time":"2026-03-02T10:00:00.123456Z","datacontenttype":"application/json","data":{"n":1}}`, string(d.Body))
	require.Equal(t, "two", w.get(queue).MessageId)
}

func TestManyEventsKeepTheirOrder(t *testing.T) {
	w := newWorld(t)
	queue := w.listen("#")
	e := w.events()
	batch := make([]rabbitmq.Event, 1500) // more than a window
	for i := range batch {
		batch[i] = event(fmt.Sprint(i))
	}
	require.NoError(t, e.Publish(t.Context(), batch))
	for i := range batch {
		require.Equal(t, fmt.Sprint(i), w.get(queue).MessageId)
	}
}

// mixed are events of two types in turn, each with a large body.
func mixed(from, to int) []rabbitmq.Event {
	var events []rabbitmq.Event
	for i := from; i < to; i++ {
		e := event(fmt.Sprint(i))
		e.Type = []string{"scheduler.even", "scheduler.odd"}[i%2]
		e.Data = json.RawMessage(`"` + strings.Repeat("x", 10_000) + `"`)
		events = append(events, e)
	}
	return events
}

func TestEventsOfSeveralTypesKeepTheirOrder(t *testing.T) {
	w := newWorld(t)
	all, odd := w.listen("#"), w.listen("*.odd")
	e := w.events()
	require.NoError(t, e.Publish(t.Context(), mixed(0, 20)))
	require.NoError(t, e.Publish(t.Context(), mixed(20, 40)))
	for i := range 40 {
		require.Equal(t, fmt.Sprint(i), w.get(all).MessageId)
		if i%2 == 1 {
			require.Equal(t, fmt.Sprint(i), w.get(odd).MessageId)
		}
	}
}

func TestEventsThatNobodyHearsStayAndLaterOnesAreHeard(t *testing.T) {
	w := newWorld(t)
	e := w.events()
	sent := w.proxy.Asked()
	require.NoError(t, e.Publish(t.Context(), mixed(0, 100)))
	require.Less(t, w.proxy.Asked()-sent, int64(50_000), "one event of each type asks")

	queue := w.listen("*.odd")
	require.NoError(t, e.Publish(t.Context(), mixed(100, 200)))
	for i := 101; i < 200; i += 2 {
		require.Equal(t, fmt.Sprint(i), w.get(queue).MessageId)
	}
}

func TestBadEventsAreRefused(t *testing.T) {
	w := newWorld(t)
	queue := w.listen("#")
	e := w.events()
	for name, change := range map[string]func(e *rabbitmq.Event){
		"id":     func(e *rabbitmq.Event) { e.ID = "" },
		"type":   func(e *rabbitmq.Event) { e.Type = "" },
		"long":   func(e *rabbitmq.Event) { e.Type = strings.Repeat("x", 256) },
		"source": func(e *rabbitmq.Event) { e.Source = "" },
		"time":   func(e *rabbitmq.Event) { e.Time = time.Time{} },
		"data":   func(e *rabbitmq.Event) { e.Data = json.RawMessage(`{`) },
	} {
		bad := event("bad")
		change(&bad)
		err := e.Publish(t.Context(), []rabbitmq.Event{event("good"), bad})
		require.ErrorContains(t, err, "publish event", name)
		require.NotEqual(t, core.CodeUnavailable, core.CodeOf(err))
	}
	require.NoError(t, e.Publish(t.Context(), []rabbitmq.Event{event("last")}))
	require.Equal(t, "last", w.get(queue).MessageId, "a part of a bad batch was published")
}

// A deleted exchange comes back, and a lost connection is an error and then
// none.
func TestEventsSurviveTrouble(t *testing.T) {
	w := newWorld(t)
	e := w.events()
	require.NoError(t, e.Publish(t.Context(), []rabbitmq.Event{event("a")}))
	require.NoError(t, w.channel().ExchangeDelete(w.prefix+".events", false, false))
	publish := func() error { return e.Publish(t.Context(), []rabbitmq.Event{event("b")}) }
	require.Equal(t, core.CodeUnavailable, core.CodeOf(publish()), "nobody has it")
	require.NoError(t, publish())
	w.proxy.Cut()
	require.Equal(t, core.CodeUnavailable, core.CodeOf(publish()))
	w.proxy.Heal()
	require.Eventually(t, func() bool { return publish() == nil }, patience, 10*time.Millisecond)
}

// A listener whose queue is full and refuses loses events; the others get each
// once, and nobody waits.
func TestAFullListenerHoldsNobodyUp(t *testing.T) {
	w := newWorld(t)
	queue := w.listen("#")
	ch := w.channel()
	full, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(full.Name, "#", w.prefix+".events", false, nil))
	e := w.events()
	for i := range 5 {
		require.NoError(t, e.Publish(t.Context(), []rabbitmq.Event{event(fmt.Sprint(i))}))
	}
	require.Positive(t, e.Refused())
	for i := range 5 {
		require.Equal(t, fmt.Sprint(i), w.get(queue).MessageId)
	}
}
