package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Event is something that has happened, to be told as a CloudEvent (1.0,
// structured JSON).
type Event struct {
	ID      string          // unique within Source; the same when an event is told again
	Type    string          // also the routing key, for example "scheduler.execution.finished"
	Source  string          // a URI reference of who tells it
	Subject string          // what it is about; may be ""
	Time    time.Time       // when it happened
	Data    json.RawMessage // may be nil
}

// cloudEvent is an Event as it travels, without its data.
type cloudEvent struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject,omitempty"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype,omitempty"`
}

// maxRoutingKey is AMQP's bound, in bytes.
const maxRoutingKey = 255

// Events publishes to the topic exchange <prefix>.events with an event's type
// as the routing key. Whether a queue takes an event is the business of those
// who bind one. It is safe for concurrent use. Its zero value is not useful;
// NewEvents makes one.
type Events struct {
	publisher *publisher
	exchange  string
	refused   atomic.Int64
}

// NewEvents returns a publisher of events on a client. Close it before the
// client.
func NewEvents(client *Client) *Events {
	names := topology{prefix: client.cfg.Prefix}
	return &Events{publisher: newPublisher(client.publishing, names.declareEvents), exchange: names.events()}
}

// Publish returns when the server has taken responsibility for all events, in
// their order; a listener's queue that is full and refuses is not waited for. It fails with UNAVAILABLE, within a few times Config.Timeout,
// when nobody knows which were taken: publish them again with the same ids. An
// event without an id, a type of at most 255 bytes, a source or a time, or with
// data that is no JSON, makes it fail before any is published.
//
// Of each type the first event asks whether anybody listens: the server returns
// what no queue takes, and would drop the others of the type, each at the price of
// one that is heard. Those stay here. Whoever binds a queue hears all that happens
// from then on, because the next Publish asks again.
func (e *Events) Publish(ctx context.Context, events []Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish events: %w", err)
	}
	for _, event := range events {
		if err := event.check(); err != nil {
			return fmt.Errorf("publish event %q: %w", event.ID, err)
		}
	}
	listened := map[string]bool{} // by type
	var ready []outgoing
	for _, event := range events {
		heard, known := listened[event.Type]
		switch {
		case !known:
			if err := e.publish(ctx, ready); err != nil {
				return err
			}
			ready = nil
			err := e.publish(ctx, []outgoing{e.outgoing(event, true)})
			if err != nil && !errors.Is(err, errReturned) {
				return err
			}
			listened[event.Type] = err == nil
		case heard:
			ready = append(ready, e.outgoing(event, false))
		}
	}
	return e.publish(ctx, ready)
}

func (e *Events) outgoing(event Event, asks bool) outgoing {
	return outgoing{exchange: e.exchange, key: event.Type, mandatory: asks, message: amqp.Publishing{
		ContentType: "application/cloudevents+json", DeliveryMode: amqp.Persistent,
		MessageId: event.ID, Type: event.Type, Timestamp: event.Time, Body: event.encode(),
	}}
}

// publish publishes messages, and goes on after those that a listener's queue
// refuses because it is full. That is its business: the others have theirs, and must
// not get it again and again. What was not sent yet, behind the window that was
// refused, is.
func (e *Events) publish(ctx context.Context, messages []outgoing) error {
	err := e.publisher.publish(ctx, messages)
	for errors.Is(err, errRefused) && len(messages) > 0 {
		messages = messages[min(len(messages), window):]
		e.refused.Add(1)
		err = e.publisher.publish(ctx, messages)
	}
	return err
}

// Refused counts the windows of events of which a listener's queue refused some.
func (e *Events) Refused() int64 { return e.refused.Load() }

// check returns what keeps an event from being told.
func (e Event) check() error {
	switch {
	case e.ID == "" || e.Type == "" || e.Source == "" || e.Time.IsZero():
		return errors.New("an event needs an id, a type, a source and a time")
	case len(e.Type) > maxRoutingKey || len(e.ID) > maxRoutingKey:
		return fmt.Errorf("type or id is longer than %d bytes", maxRoutingKey)
	case len(e.Data) > 0 && !json.Valid(e.Data):
		return errors.New("its data is no JSON")
	}
	return nil
}

// encode returns an event as it travels. Its data is taken as it is: an encoder
// would read and write all of it again.
func (e Event) encode() []byte {
	c := cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject,
		Time: e.Time.UTC().Format(time.RFC3339Nano),
	}
	if len(e.Data) > 0 {
		c.DataContentType = "application/json"
	}
	body, _ := json.Marshal(c) // texts: cannot fail
	if len(e.Data) > 0 {
		body = append(append(body[:len(body)-1], `,"data":`...), e.Data...)
		body = append(body, '}')
	}
	return body
}

// Close waits for what is being published. Closing again does nothing.
func (e *Events) Close() error {
	e.publisher.close()
	return nil
}
