package fakeplatform

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	maxChat       = 500             // characters of a message, an announcement, a reason
	announcePause = 2 * time.Second // between two announcements
	chatAge       = 6 * time.Hour   // messages older than this cannot be deleted
	maxBanSeconds = 1_209_600       // two weeks
)

// sendChat is POST /chat/messages.
func (p *Platform) sendChat(r *request) answer {
	var b struct {
		Broadcaster string `json:"broadcaster_id"`
		Sender      string `json:"sender_id"`
		Message     string `json:"message"`
		ReplyTo     string `json:"reply_parent_message_id"`
	}
	switch {
	case r.read(&b) != nil:
		return twitchError(http.StatusBadRequest, "The request body is not valid JSON")
	case !isSnowflake(b.Broadcaster) || !isSnowflake(b.Sender):
		return twitchError(http.StatusBadRequest, "broadcaster_id and sender_id must be numeric")
	case b.Message == "":
		return twitchError(http.StatusBadRequest, "The message field is required")
	case utf8.RuneCountInString(b.Message) > maxChat:
		return twitchError(http.StatusUnprocessableEntity, "The message is too large")
	}
	c := p.twitch.channel(b.Broadcaster)
	if until, banned := c.bans[b.Sender]; banned && (until.IsZero() || r.now.Before(until)) {
		return notSent("msg_banned", "The sender is banned or timed out in this channel")
	}
	id := uuid.NewString()
	remember(c.messages, id, r.now)
	r.did("chat message sent", b.Broadcaster, map[string]any{"id": id, "message": b.Message, "replyTo": b.ReplyTo})
	return ok(map[string]any{"data": []any{map[string]any{"message_id": id, "is_sent": true}}})
}

// notSent is Twitch's way to say with status 200 that nothing was sent.
func notSent(code, message string) answer {
	return ok(map[string]any{"data": []any{map[string]any{
		"message_id": "", "is_sent": false, "drop_reason": map[string]string{"code": code, "message": message},
	}}})
}

// notSent is the answer of the fault of this name.
func (p *Platform) notSent(r *request) answer {
	if r.route.name != "twitch.send_chat_message" {
		return r.route.handle(r)
	}
	return notSent("automod_held", "The message was held by AutoMod")
}

// announce is POST /chat/announcements.
func (p *Platform) announce(r *request) answer {
	ids, wrong := who(r, "broadcaster_id", "moderator_id")
	if wrong.status != 0 {
		return wrong
	}
	var b struct {
		Message string `json:"message"`
		Color   string `json:"color"`
	}
	switch {
	case r.read(&b) != nil || b.Message == "":
		return twitchError(http.StatusBadRequest, "The message field in the request's body is required")
	case !slices.Contains([]string{"blue", "green", "orange", "purple", "primary"}, cmp.Or(b.Color, "primary")):
		return twitchError(http.StatusBadRequest, "The named color in the color field is not valid")
	}
	c := p.twitch.channel(ids[0])
	if r.now.Sub(c.announced) < announcePause {
		return twitchError(http.StatusTooManyRequests, "Too many announcements; one every 2 seconds is allowed")
	}
	c.announced = r.now
	message := []rune(b.Message)
	r.did("announcement sent", ids[0], map[string]any{"message": string(message[:min(len(message), maxChat)]), "color": b.Color})
	return noContent()
}

func (p *Platform) getChatSettings(r *request) answer {
	ids, wrong := who(r, "broadcaster_id")
	if wrong.status != 0 {
		return wrong
	}
	return ok(map[string]any{"data": []any{p.twitch.channel(ids[0]).settings}})
}

// updateChatSettings is PATCH /chat/settings.
func (p *Platform) updateChatSettings(r *request) answer {
	ids, wrong := who(r, "broadcaster_id", "moderator_id")
	if wrong.status != 0 {
		return wrong
	}
	b := map[string]any{}
	if r.read(&b) != nil {
		return twitchError(http.StatusBadRequest, "The request body is not valid JSON")
	}
	if wait, there := b["slow_mode_wait_time"].(float64); there && (wait < 3 || wait > 120) {
		return twitchError(http.StatusBadRequest, "slow_mode_wait_time must be between 3 and 120")
	}
	c := p.twitch.channel(ids[0])
	for field := range c.settings {
		if value, there := b[field]; there && field != "broadcaster_id" {
			c.settings[field] = value
		}
	}
	r.did("chat settings changed", ids[0], b)
	return ok(map[string]any{"data": []any{c.settings}})
}

func (p *Platform) getTwitchChannel(r *request) answer {
	ids, wrong := who(r, "broadcaster_id")
	if wrong.status != 0 {
		return wrong
	}
	return ok(map[string]any{"data": []any{p.twitch.channel(ids[0]).info}})
}

// games are the categories that this Twitch has.
var games = []map[string]string{
	{"id": "509658", "name": "Just Chatting"}, {"id": "33214", "name": "Fortnite"}, {"id": "27471", "name": "Minecraft"},
	{"id": "1469308723", "name": "Software and Game Development"},
}

// getGames is GET /games, by name or by id.
func (p *Platform) getGames(r *request) answer {
	q := r.URL.Query()
	if len(q["name"])+len(q["id"]) == 0 {
		return twitchError(http.StatusBadRequest, `Missing required parameter "id", "name" or "igdb_id"`)
	}
	found := []map[string]string{}
	for _, g := range games {
		if slices.Contains(q["id"], g["id"]) || slices.ContainsFunc(q["name"], func(name string) bool { return strings.EqualFold(name, g["name"]) }) {
			found = append(found, g)
		}
	}
	return ok(map[string]any{"data": found, "pagination": map[string]any{}})
}

// modifyTwitchChannel is PATCH /channels.
func (p *Platform) modifyTwitchChannel(r *request) answer {
	ids, wrong := who(r, "broadcaster_id")
	if wrong.status != 0 {
		return wrong
	}
	b := map[string]any{}
	switch {
	case r.read(&b) != nil:
		return twitchError(http.StatusBadRequest, "The request body is not valid JSON")
	case len(b) == 0:
		return twitchError(http.StatusBadRequest, "The request must specify at least one property")
	}
	if title, there := b["title"]; there && !lengthWithin(title, 1, 140) {
		return twitchError(http.StatusBadRequest, "The title must contain between 1 and 140 characters")
	}
	if tags, there := b["tags"].([]any); there && (len(tags) > 10 || slices.ContainsFunc(tags, func(t any) bool { return !lengthWithin(t, 1, 25) })) {
		return twitchError(http.StatusBadRequest, "At most 10 tags of at most 25 characters are allowed")
	}
	if delay, there := b["delay"].(float64); there && (delay < 0 || delay > 900) {
		return twitchError(http.StatusBadRequest, "The delay must be between 0 and 900")
	}
	c := p.twitch.channel(ids[0])
	maps.Copy(c.info, b)
	r.did("channel modified", ids[0], b)
	return noContent()
}

// twitchBan is POST /moderation/bans: a ban or, with a duration, a time-out.
func (p *Platform) twitchBan(r *request) answer {
	ids, wrong := who(r, "broadcaster_id", "moderator_id")
	if wrong.status != 0 {
		return wrong
	}
	var b struct {
		Data struct {
			User     string `json:"user_id"`
			Duration *int   `json:"duration"`
			Reason   string `json:"reason"`
		} `json:"data"`
	}
	switch {
	case r.read(&b) != nil || !isSnowflake(b.Data.User):
		return twitchError(http.StatusBadRequest, "The user_id field is required and must be numeric")
	case b.Data.Duration != nil && (*b.Data.Duration < 1 || *b.Data.Duration > maxBanSeconds):
		return twitchError(http.StatusBadRequest, "The duration must be between 1 and 1209600")
	case utf8.RuneCountInString(b.Data.Reason) > maxChat:
		return twitchError(http.StatusBadRequest, "The reason is too long")
	}
	c := p.twitch.channel(ids[0])
	if until, banned := c.bans[b.Data.User]; banned && until.IsZero() {
		return twitchError(http.StatusBadRequest, "The user specified in the user_id field is already banned.")
	}
	var until time.Time
	if b.Data.Duration != nil {
		until = r.now.Add(time.Duration(*b.Data.Duration) * time.Second)
	}
	remember(c.bans, b.Data.User, until)
	item := map[string]any{"broadcaster_id": ids[0], "moderator_id": ids[1], "user_id": b.Data.User, "created_at": r.now.UTC(), "end_time": nil}
	effect := "user banned"
	if !until.IsZero() {
		effect, item["end_time"] = "user timed out", until.UTC()
	}
	r.did(effect, b.Data.User, map[string]any{"channel": ids[0], "until": item["end_time"], "reason": b.Data.Reason})
	return ok(map[string]any{"data": []any{item}})
}

// twitchUnban is DELETE /moderation/bans.
func (p *Platform) twitchUnban(r *request) answer {
	ids, wrong := who(r, "broadcaster_id", "moderator_id", "user_id")
	if wrong.status != 0 {
		return wrong
	}
	c := p.twitch.channel(ids[0])
	if until, banned := c.bans[ids[2]]; !banned || !until.IsZero() && r.now.After(until) {
		return twitchError(http.StatusBadRequest, "The user specified in the user_id query parameter is not banned.")
	}
	delete(c.bans, ids[2])
	r.did("user unbanned", ids[2], map[string]any{"channel": ids[0]})
	return noContent()
}

// deleteChat is DELETE /moderation/chat: one message or, without its id, all.
func (p *Platform) deleteChat(r *request) answer {
	ids, wrong := who(r, "broadcaster_id", "moderator_id")
	if wrong.status != 0 {
		return wrong
	}
	c := p.twitch.channel(ids[0])
	id := r.URL.Query().Get("message_id")
	if id == "" {
		r.did("chat cleared", ids[0], map[string]any{"count": len(c.messages)})
		clear(c.messages)
		return noContent()
	}
	sent, there := c.messages[id]
	switch {
	case !there:
		return twitchError(http.StatusNotFound, "The ID in message_id was not found")
	case r.now.Sub(sent) > chatAge:
		return twitchError(http.StatusNotFound, "The specified message was created more than 6 hours ago.")
	}
	delete(c.messages, id)
	r.did("chat message deleted", ids[0], map[string]any{"id": id})
	return noContent()
}

// warn is POST /moderation/warnings.
func (p *Platform) warn(r *request) answer {
	ids, wrong := who(r, "broadcaster_id", "moderator_id")
	if wrong.status != 0 {
		return wrong
	}
	var b struct {
		Data struct {
			User   string `json:"user_id"`
			Reason string `json:"reason"`
		} `json:"data"`
	}
	if r.read(&b) != nil || !isSnowflake(b.Data.User) || !lengthWithin(b.Data.Reason, 1, maxChat) {
		return twitchError(http.StatusBadRequest, "user_id must be numeric and reason must have 1 to 500 characters")
	}
	r.did("user warned", b.Data.User, map[string]any{"channel": ids[0], "reason": b.Data.Reason})
	return ok(map[string]any{"data": []any{map[string]any{"broadcaster_id": ids[0], "moderator_id": ids[1], "user_id": b.Data.User, "reason": b.Data.Reason}}})
}

// getStreams is GET /streams, in pages behind an opaque cursor.
func (p *Platform) getStreams(r *request) answer {
	q := r.URL.Query()
	wanted := append(q["user_id"], q["user_login"]...)
	first, err := strconv.Atoi(cmp.Or(q.Get("first"), "20"))
	if err != nil || first < 1 || first > 100 || len(wanted) > 100 {
		return twitchError(http.StatusBadRequest, `The parameter "first" must be between 1 and 100, and at most 100 users can be named`)
	}
	start := 0
	if cursor := q.Get("after"); cursor != "" {
		raw, err := base64.URLEncoding.DecodeString(cursor)
		if err == nil {
			start, err = strconv.Atoi(string(raw))
		}
		if err != nil || start < 0 {
			return twitchError(http.StatusBadRequest, "The cursor is not valid")
		}
	}
	found := []map[string]any{}
	for _, user := range slices.Sorted(maps.Keys(p.twitch.streams)) {
		s := p.twitch.streams[user]
		if len(wanted) == 0 || slices.Contains(wanted, user) || slices.Contains(wanted, s["user_login"].(string)) {
			found = append(found, s)
		}
	}
	start = min(start, len(found))
	end := min(start+first, len(found))
	pagination := map[string]any{}
	if end < len(found) {
		pagination["cursor"] = base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(end)))
	}
	return ok(map[string]any{"data": found[start:end], "pagination": pagination})
}
