package e2e

import (
	"encoding/json"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// event is a CloudEvent as a listener reads it.
type event struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Type        string `json:"type"`
	Source      string `json:"source"`
	Subject     string `json:"subject"`
	contentType string
}

// listener gathers every event of a cluster.
type listener struct {
	mu     sync.Mutex
	events []event
}

// listen binds a queue to the cluster's events, before any node is there.
func (c *cluster) listen() *listener {
	c.t.Helper()
	ch, err := c.broker.Channel()
	require.NoError(c.t, err)
	exchange := c.prefix + ".events"
	require.NoError(c.t, ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(c.t, err)
	require.NoError(c.t, ch.QueueBind(q.Name, "#", exchange, false, nil))
	deliveries, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(c.t, err)
	l := &listener{}
	go func() {
		for d := range deliveries { // ends with the connection
			e := event{contentType: d.ContentType}
			if json.Unmarshal(d.Body, &e) == nil {
				l.mu.Lock()
				l.events = append(l.events, e)
				l.mu.Unlock()
			}
		}
	}()
	return l
}

// of returns the events about an execution.
func (l *listener) of(execution string) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []event
	for _, e := range l.events {
		if e.Subject == execution {
			found = append(found, e)
		}
	}
	return found
}

// ids returns the ids of all events, in the order in which they were told.
func (l *listener) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, len(l.events))
	for i, e := range l.events {
		ids[i] = e.ID
	}
	return ids
}
