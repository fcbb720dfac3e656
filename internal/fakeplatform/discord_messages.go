package fakeplatform

import (
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// discordChannel is a channel: its settings and messages, oldest first.
type discordChannel struct {
	settings map[string]any
	messages []*discordMessage
}

// discordMessage is a message as the API shows it.
type discordMessage struct {
	ID              string         `json:"id"`
	ChannelID       string         `json:"channel_id"`
	Content         string         `json:"content"`
	Embeds          []any          `json:"embeds"`
	Timestamp       time.Time      `json:"timestamp"`
	EditedTimestamp *time.Time     `json:"edited_timestamp"`
	Author          map[string]any `json:"author"`
	WebhookID       string         `json:"webhook_id,omitempty"`
	Nonce           any            `json:"nonce,omitempty"`
	Pinned          bool           `json:"pinned"`

	mentions any // allowed_mentions of the request
}

// nonce is what a channel remembers of a message that asked for it.
type nonce struct {
	message *discordMessage
	until   time.Time
}

// nonceTime is how long a nonce is known: "the past few minutes".
const nonceTime = 5 * time.Minute

// bulkAge is how old messages may be that are deleted together.
const bulkAge = 14 * 24 * time.Hour

// messageBody is the body of Create Message, Edit Message and Execute Webhook.
type messageBody struct {
	Content         *string `json:"content"`
	Embeds          []any   `json:"embeds"`
	Nonce           any     `json:"nonce"`
	EnforceNonce    bool    `json:"enforce_nonce"`
	AllowedMentions any     `json:"allowed_mentions"`
	ThreadName      string  `json:"thread_name"`
	Username        string  `json:"username"`
	Reference       *struct {
		Message string `json:"message_id"`
	} `json:"message_reference"`
}

// check says what is wrong with a body, as Discord does.
func (b messageBody) check() (answer, bool) {
	content := ""
	if b.Content != nil {
		content = *b.Content
	}
	switch {
	case content == "" && len(b.Embeds) == 0:
		return discordError(http.StatusBadRequest, 50006, "Cannot send an empty message"), false
	case utf8.RuneCountInString(content) > 2000:
		return discordInvalid(map[string]string{"content": "Must be 2000 or fewer in length."}), false
	case len(b.Embeds) > 10:
		return discordInvalid(map[string]string{"embeds": "Must be 10 or fewer in length."}), false
	}
	if text, isText := b.Nonce.(string); isText && len(text) > 25 {
		return discordInvalid(map[string]string{"nonce": "Must be 25 or fewer in length."}), false
	}
	return answer{}, true
}

// channel finds a channel; one that nobody has named before is made.
func (d *discord) channel(id string) (*discordChannel, bool) {
	if !isSnowflake(id) {
		return nil, false
	}
	c, known := d.channels[id]
	if !known {
		if len(d.channels) >= maxWorldObjects {
			clear(d.channels)
		}
		c = &discordChannel{settings: map[string]any{
			"id": id, "type": 0.0, "name": "channel-" + id, "topic": nil, "nsfw": false, "rate_limit_per_user": 0.0,
		}}
		d.channels[id] = c
	}
	return c, true
}

// post adds a message to a channel.
func (d *discord) post(r *request, channelID string, b messageBody) *discordMessage {
	m := &discordMessage{
		ID: d.newID(r.now), ChannelID: channelID, Embeds: append([]any{}, b.Embeds...), Timestamp: r.now.UTC(), Nonce: b.Nonce,
		Author: map[string]any{"id": botID, "username": "scheduler", "bot": true}, mentions: b.AllowedMentions,
	}
	if b.Content != nil {
		m.Content = *b.Content
	}
	c, _ := d.channel(channelID)
	if len(c.messages) >= maxWorldObjects {
		c.messages = slices.Delete(c.messages, 0, len(c.messages)/2)
	}
	c.messages = append(c.messages, m)
	detail := map[string]any{"id": m.ID, "content": m.Content, "embeds": len(m.Embeds), "allowedMentions": b.AllowedMentions}
	if b.Reference != nil {
		detail["replyTo"] = b.Reference.Message
	}
	r.did("message created", channelID, detail)
	return m
}

// createMessage is POST /channels/{channel}/messages.
func (p *Platform) createMessage(r *request) answer {
	d, id := p.discord, r.PathValue("channel")
	if _, known := d.channel(id); !known {
		return discordNotFound("Channel", 10003)
	}
	var b messageBody
	if r.read(&b) != nil {
		return discordError(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	if wrong, fine := b.check(); !fine {
		return wrong
	}
	key := id + " " + toText(b.Nonce)
	if known, repeated := d.nonces[key]; repeated && b.EnforceNonce && r.now.Before(known.until) {
		return ok(known.message)
	}
	m := d.post(r, id, b)
	if b.Nonce != nil && b.EnforceNonce {
		if len(d.nonces) >= maxWorldObjects {
			clear(d.nonces)
		}
		d.nonces[key] = nonce{m, r.now.Add(nonceTime)}
	}
	return ok(m)
}

// getMessages is GET /channels/{channel}/messages, newest first.
func (p *Platform) getMessages(r *request) answer {
	c, known := p.discord.channel(r.PathValue("channel"))
	if !known {
		return discordNotFound("Channel", 10003)
	}
	q := r.URL.Query()
	limit := 50
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return discordInvalid(map[string]string{"limit": "int value should be between 1 and 100."})
		}
		limit = n
	}
	page := []*discordMessage{}
	for _, m := range slices.Backward(c.messages) {
		if before := q.Get("before"); before != "" && !olderID(m.ID, before) {
			continue
		}
		if after := q.Get("after"); after != "" && !olderID(after, m.ID) {
			continue
		}
		page = append(page, m)
	}
	if q.Get("after") != "" && len(page) > limit {
		return ok(page[len(page)-limit:])
	}
	return ok(page[:min(limit, len(page))])
}

// olderID compares ids by age.
func olderID(a, b string) bool {
	x, _ := strconv.ParseInt(a, 10, 64) // what is no id is oldest
	y, _ := strconv.ParseInt(b, 10, 64)
	return x < y
}

func (p *Platform) getMessage(r *request) answer {
	m, wrong := p.message(r)
	if m == nil {
		return wrong
	}
	return ok(m)
}

// message finds the message of the path.
func (p *Platform) message(r *request) (*discordMessage, answer) {
	c, known := p.discord.channel(r.PathValue("channel"))
	if !known {
		return nil, discordNotFound("Channel", 10003)
	}
	at := slices.IndexFunc(c.messages, func(m *discordMessage) bool { return m.ID == r.PathValue("message") })
	if at < 0 {
		return nil, discordNotFound("Message", 10008)
	}
	return c.messages[at], answer{}
}

// editMessage is PATCH /channels/{channel}/messages/{message}.
func (p *Platform) editMessage(r *request) answer {
	m, wrong := p.message(r)
	if m == nil {
		return wrong
	}
	return edit(r, m)
}

func edit(r *request, m *discordMessage) answer {
	var b messageBody
	if r.read(&b) != nil {
		return discordError(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	if wrong, fine := b.check(); !fine {
		return wrong
	}
	if b.Content != nil {
		m.Content = *b.Content
	}
	if b.Embeds != nil {
		m.Embeds = b.Embeds
	}
	m.EditedTimestamp = new(r.now.UTC())
	r.did("message edited", m.ChannelID, map[string]any{"id": m.ID, "content": m.Content})
	return ok(m)
}

// deleteMessage is DELETE /channels/{channel}/messages/{message}.
func (p *Platform) deleteMessage(r *request) answer {
	m, wrong := p.message(r)
	if m == nil {
		return wrong
	}
	p.discord.remove(m)
	r.did("message deleted", m.ChannelID, map[string]any{"id": m.ID})
	return noContent()
}

// remove takes a message out of its channel.
func (d *discord) remove(gone *discordMessage) {
	c := d.channels[gone.ChannelID]
	c.messages = slices.DeleteFunc(c.messages, func(m *discordMessage) bool { return m == gone })
}

// bulkDelete is POST /channels/{channel}/messages/bulk-delete. Unknown messages
// are passed over, as Discord does.
func (p *Platform) bulkDelete(r *request) answer {
	id := r.PathValue("channel")
	c, known := p.discord.channel(id)
	if !known {
		return discordNotFound("Channel", 10003)
	}
	var b struct {
		Messages []string `json:"messages"`
	}
	if r.read(&b) != nil {
		return discordError(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	if len(b.Messages) < 2 || len(b.Messages) > 100 {
		return discordError(http.StatusBadRequest, 50016, "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete")
	}
	gone := map[string]bool{}
	for _, m := range b.Messages {
		switch {
		case !isSnowflake(m) || gone[m]:
			return discordInvalid(map[string]string{"messages": "Must be distinct snowflakes."})
		case r.now.Sub(snowflakeTime(m)) > bulkAge:
			return discordError(http.StatusBadRequest, 50034, "You can only bulk delete messages that are under 14 days old.")
		}
		gone[m] = true
	}
	before := len(c.messages)
	c.messages = slices.DeleteFunc(c.messages, func(m *discordMessage) bool { return gone[m.ID] })
	if n := before - len(c.messages); n > 0 {
		r.did("messages deleted", id, map[string]any{"count": n})
	}
	return noContent()
}

// executeWebhook is POST /webhooks/{webhook}/{token}. Without wait=true it says
// nothing, not even what is wrong.
func (p *Platform) executeWebhook(r *request) answer {
	var b messageBody
	if r.read(&b) != nil {
		return discordError(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	waits := r.URL.Query().Get("wait") == "true"
	if wrong, fine := b.check(); !fine {
		if !waits && wrong.status != http.StatusBadRequest {
			return noContent()
		}
		return wrong
	}
	channel := r.PathValue("webhook")
	if thread := r.URL.Query().Get("thread_id"); thread != "" {
		channel = thread
	}
	if !isSnowflake(channel) {
		return discordNotFound("Webhook", 10015)
	}
	m := p.discord.post(r, channel, b)
	m.WebhookID = r.PathValue("webhook")
	if !waits {
		return noContent()
	}
	return ok(m)
}

// webhookMessage finds a message that the webhook of the path has sent.
func (p *Platform) webhookMessage(r *request) *discordMessage {
	channel := r.PathValue("webhook")
	if thread := r.URL.Query().Get("thread_id"); thread != "" {
		channel = thread
	}
	c, known := p.discord.channel(channel)
	if !known {
		return nil
	}
	for _, m := range c.messages {
		if m.ID == r.PathValue("message") && m.WebhookID == r.PathValue("webhook") {
			return m
		}
	}
	return nil
}

func (p *Platform) editWebhookMessage(r *request) answer {
	m := p.webhookMessage(r)
	if m == nil {
		return discordNotFound("Message", 10008)
	}
	return edit(r, m)
}

func (p *Platform) deleteWebhookMessage(r *request) answer {
	m := p.webhookMessage(r)
	if m == nil {
		return discordNotFound("Message", 10008)
	}
	p.discord.remove(m)
	r.did("message deleted", m.ChannelID, map[string]any{"id": m.ID})
	return noContent()
}
