package app

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// broker is what RabbitMQ does beside handing out work.
type broker struct {
	client *rabbitmq.Client
	log    hclog.Logger
}

// eventSource is who tells the events.
const eventSource = "/nexuscore/scheduler"

// eventTypePrefix begins the types of all events: it is also what a listener
// binds a queue with.
const eventTypePrefix = "nexuscore."

// cloudEvents publishes the outbox's events as CloudEvents.
type cloudEvents struct{ events *rabbitmq.Events }

// Publish implements core.Publisher.
func (c cloudEvents) Publish(ctx context.Context, messages []core.Message) error {
	events := make([]rabbitmq.Event, len(messages))
	for i, m := range messages {
		events[i] = rabbitmq.Event{
			ID: m.ID, Type: eventTypePrefix + m.Type, Source: eventSource, Subject: m.ExecutionID, Time: m.Time, Data: m.Data,
		}
	}
	return c.events.Publish(ctx, events)
}

var _ core.Publisher = cloudEvents{}
