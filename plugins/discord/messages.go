package discord

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// MaxBulk is how many messages can be deleted together, and BulkAge how old they
// may be.
const (
	MaxBulk = 100
	BulkAge = 14 * 24 * time.Hour
)

// Message is a message as it is sent.
type Message struct {
	Content    string     `json:"content,omitempty"`
	Embeds     []Embed    `json:"embeds,omitempty"`
	Nonce      string     `json:"nonce,omitempty"`         // see Nonce; Discord keeps it for some minutes
	Enforce    bool       `json:"enforce_nonce,omitempty"` // a repeated nonce returns the first message
	Mentions   Mentions   `json:"allowed_mentions"`
	ReplyTo    *Reference `json:"message_reference,omitempty"` // not through webhooks
	ThreadName string     `json:"thread_name,omitempty"`       // webhooks in forums: makes a thread
	Username   string     `json:"username,omitempty"`          // webhooks
}

// Reference names the message that another one answers.
type Reference struct {
	MessageID string `json:"message_id"`
	Fail      bool   `json:"fail_if_not_exists"` // false: without the message it is sent as no answer
}

// Posted is a message as Discord shows it.
type Posted struct {
	ID        string    `json:"id"`
	ChannelID string    `json:"channel_id"`
	Content   string    `json:"content"`
	Timestamp time.Time `json:"timestamp"`
	Pinned    bool      `json:"pinned"`
	WebhookID string    `json:"webhook_id"`
	Author    struct {
		ID  string `json:"id"`
		Bot bool   `json:"bot"`
	} `json:"author"`
}

// Create sends a message to a channel or a thread. With a nonce a repetition
// within some minutes returns the first message.
func (d *Client) Create(channel string, m Message) (Posted, error) {
	var p Posted
	err := d.call("POST", "/channels/"+channel+"/messages", "", m, &p)
	return p, err
}

// Edit changes a message.
func (d *Client) Edit(channel, message string, m Message) (Posted, error) {
	m.Nonce, m.Enforce = "", false
	var p Posted
	err := d.call("PATCH", "/channels/"+channel+"/messages/"+message, "", m, &p)
	return p, err
}

// Delete removes a message. One that is gone is no error.
func (d *Client) Delete(channel, message, reason string) error {
	err := d.call("DELETE", "/channels/"+channel+"/messages/"+message, reason, nil, nil)
	if IsCode(err, CodeUnknownMessage) {
		return nil
	}
	return err
}

// DeleteBulk removes 2 to MaxBulk messages that are younger than BulkAge.
func (d *Client) DeleteBulk(channel string, messages []string, reason string) error {
	return d.call("POST", "/channels/"+channel+"/messages/bulk-delete", reason, map[string]any{"messages": messages}, nil)
}

// OneByOne tells whether DeleteBulk was refused for what Delete may not mind: a
// message that is too old, one of Discord's own among them, or that the bot may
// delete its own messages and no others, for which there is no bulk.
func OneByOne(err error) bool {
	return IsStatus(err, 403) || IsCode(err, CodeTooOld, CodeSystemMessage)
}

// Messages lists up to limit messages, newest first: those before an id, or the
// newest for "".
func (d *Client) Messages(channel, before string, limit int) ([]Posted, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if before != "" {
		q.Set("before", before)
	}
	var page []Posted
	err := d.call("GET", "/channels/"+channel+"/messages?"+q.Encode(), "", nil, &page)
	return page, err
}

// Webhook is where a webhook's requests go: an address, or the placeholder of a
// secret that is one.
type Webhook string

// path adds to a webhook's address.
func (w Webhook) path(rest, thread string, wait bool) string {
	q := url.Values{}
	if wait {
		q.Set("wait", "true") // otherwise nobody is told that nothing was sent
	}
	if thread != "" {
		q.Set("thread_id", thread)
	}
	address := strings.TrimRight(string(w), "/") + rest
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	return address
}

// Execute sends a message through a webhook, into a thread unless that is "".
func (d *Client) Execute(w Webhook, thread string, m Message) (Posted, error) {
	if m.Nonce != "" {
		return Posted{}, sdk.Permanent(errors.New("discord: webhooks know no nonce"))
	}
	var p Posted
	err := d.exchange("POST", w.path("", thread, true), nil, m, &p)
	return p, err
}

// EditThrough changes a message that the webhook has sent.
func (d *Client) EditThrough(w Webhook, thread, message string, m Message) (Posted, error) {
	var p Posted
	err := d.exchange("PATCH", w.path("/messages/"+message, thread, false), nil, m, &p)
	return p, err
}

// DeleteThrough removes a message that the webhook has sent. One that is gone is
// no error.
func (d *Client) DeleteThrough(w Webhook, thread, message string) error {
	err := d.exchange("DELETE", w.path("/messages/"+message, thread, false), nil, nil, nil)
	if IsCode(err, CodeUnknownMessage) {
		return nil
	}
	return err
}

func asError(err error) (*Error, bool) { return errors.AsType[*Error](err) }
