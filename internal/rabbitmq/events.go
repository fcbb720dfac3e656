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
func (e *Events) Publish(ctx context.Context, events []Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish events: %w", err)
	}
	messages := make([]outgoing, len(events))
	for i, event := range events {
		body, err := encodeEvent(event)
		if err != nil {
			return fmt.Errorf("publish event %q: %w", event.ID, err)
		}
		messages[i] = outgoing{exchange: e.exchange, key: event.Type, message: amqp.Publishing{
			ContentType: "application/cloudevents+json", DeliveryMode: amqp.Persistent,
			MessageId: event.ID, Type: event.Type, Timestamp: event.Time, Body: body,
		}}
	}
	err := e.publisher.publish(ctx, messages)
	for errors.Is(err, errRefused) && len(messages) > 0 {
		// A listener's queue is full and refuses what is new. That is its business:
		// the others have theirs, and must not get it again and again. What was not
		// sent yet, behind the window that was refused, is.
		messages = messages[min(len(messages), window):]
		e.refused.Add(1)
		err = e.publisher.publish(ctx, messages)
	}
	return err
}

// Refused counts the windows of events of which a listener's queue refused some.
func (e *Events) Refused() int64 { return e.refused.Load() }

func encodeEvent(e Event) ([]byte, error) {
	switch {
	case e.ID == "" || e.Type == "" || e.Source == "" || e.Time.IsZero():
		return nil, errors.New("an event needs an id, a type, a source and a time")
	case len(e.Type) > maxRoutingKey || len(e.ID) > maxRoutingKey:
		return nil, fmt.Errorf("type or id is longer than %d bytes", maxRoutingKey)
	}
	c := cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject,
		Time: e.Time.UTC().Format(time.RFC3339Nano),
	}
	if len(e.Data) == 0 {
		return json.Marshal(c)
	}
	if !json.Valid(e.Data) {
		return nil, errors.New("its data is no JSON")
	}
	c.DataContentType = "application/json"
	body, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	// The data is large, and read and written again by an encoder for each event.
	body = append(append(body[:len(body)-1], `,"data":`...), e.Data...)
	return append(body, '}'), nil
}

// Close waits for what is being published. Closing again does nothing.
func (e *Events) Close() error {
	e.publisher.close()
	return nil
}
