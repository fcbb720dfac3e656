package fakeplatform

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// discordGuild is a server with its bans and time-outs.
type discordGuild struct {
	banned   map[string]bool
	kicked   map[string]bool
	timeouts map[string]time.Time // by user: until when
}

// The longest that Discord allows.
const (
	maxTimeout       = 28 * 24 * time.Hour
	maxBulkBan       = 200
	maxDeleteSeconds = 604800
)

// guild finds a guild; one that nobody has named before is made.
func (d *discord) guild(id string) (*discordGuild, bool) {
	if !isSnowflake(id) {
		return nil, false
	}
	g, known := d.guilds[id]
	if !known {
		if len(d.guilds) >= maxWorldObjects {
			clear(d.guilds)
		}
		g = &discordGuild{banned: map[string]bool{}, kicked: map[string]bool{}, timeouts: map[string]time.Time{}}
		d.guilds[id] = g
	}
	return g, true
}

// member finds the guild and the user of the path.
func (p *Platform) member(r *request) (g *discordGuild, user string, wrong answer) {
	g, known := p.discord.guild(r.PathValue("guild"))
	if !known {
		return nil, "", discordNotFound("Guild", 10004)
	}
	if user = r.PathValue("user"); !isSnowflake(user) {
		return nil, "", discordNotFound("User", 10013)
	}
	return g, user, answer{}
}

// getGuild is GET /guilds/{guild}, with_counts or without.
func (p *Platform) getGuild(r *request) answer {
	id := r.PathValue("guild")
	g, known := p.discord.guild(id)
	if !known {
		return discordNotFound("Guild", 10004)
	}
	body := map[string]any{"id": id, "name": "Guild " + id}
	if r.URL.Query().Get("with_counts") == "true" {
		body["approximate_member_count"] = 1000 - len(g.banned) - len(g.kicked)
		body["approximate_presence_count"] = 250
	}
	return ok(body)
}

// discordBan is PUT /guilds/{guild}/bans/{user}.
func (p *Platform) discordBan(r *request) answer {
	g, user, wrong := p.member(r)
	if g == nil {
		return wrong
	}
	var b struct {
		DeleteSeconds int `json:"delete_message_seconds"`
	}
	if r.read(&b) != nil || b.DeleteSeconds < 0 || b.DeleteSeconds > maxDeleteSeconds {
		return discordInvalid(map[string]string{"delete_message_seconds": "int value should be between 0 and 604800."})
	}
	if !g.banned[user] {
		remember(g.banned, user, true)
		r.did("user banned", user, map[string]any{"guild": r.PathValue("guild"), "reason": r.Header.Get("X-Audit-Log-Reason")})
	}
	return noContent()
}

// discordUnban is DELETE /guilds/{guild}/bans/{user}.
func (p *Platform) discordUnban(r *request) answer {
	g, user, wrong := p.member(r)
	if g == nil {
		return wrong
	}
	if !g.banned[user] {
		return discordNotFound("Ban", 10026)
	}
	delete(g.banned, user)
	r.did("user unbanned", user, map[string]any{"guild": r.PathValue("guild")})
	return noContent()
}

// bulkBan is POST /guilds/{guild}/bulk-ban.
func (p *Platform) bulkBan(r *request) answer {
	g, known := p.discord.guild(r.PathValue("guild"))
	if !known {
		return discordNotFound("Guild", 10004)
	}
	var b struct {
		Users []string `json:"user_ids"`
	}
	if r.read(&b) != nil || len(b.Users) < 1 || len(b.Users) > maxBulkBan || slices.ContainsFunc(b.Users, func(u string) bool { return !isSnowflake(u) }) {
		return discordInvalid(map[string]string{"user_ids": "Must be between 1 and 200 in length."})
	}
	banned, failed := []string{}, []string{}
	for _, u := range b.Users {
		if g.banned[u] {
			failed = append(failed, u)
			continue
		}
		remember(g.banned, u, true)
		banned = append(banned, u)
	}
	if len(banned) == 0 {
		return discordError(http.StatusInternalServerError, 500000, "Failed to ban users")
	}
	r.did("users banned", r.PathValue("guild"), map[string]any{"users": banned})
	return ok(map[string]any{"banned_users": banned, "failed_users": failed})
}

// kick is DELETE /guilds/{guild}/members/{user}.
func (p *Platform) kick(r *request) answer {
	g, user, wrong := p.member(r)
	if g == nil {
		return wrong
	}
	if g.kicked[user] || g.banned[user] {
		return discordNotFound("Member", 10007)
	}
	remember(g.kicked, user, true)
	r.did("user kicked", user, map[string]any{"guild": r.PathValue("guild"), "reason": r.Header.Get("X-Audit-Log-Reason")})
	return noContent()
}

// modifyMember is PATCH /guilds/{guild}/members/{user}, for time-outs.
func (p *Platform) modifyMember(r *request) answer {
	g, user, wrong := p.member(r)
	if g == nil {
		return wrong
	}
	if g.kicked[user] || g.banned[user] {
		return discordNotFound("Member", 10007)
	}
	b := map[string]json.RawMessage{}
	if r.read(&b) != nil {
		return discordError(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	raw, there := b["communication_disabled_until"]
	if !there {
		return ok(map[string]any{"user": map[string]string{"id": user}})
	}
	var until *time.Time
	if json.Unmarshal(raw, &until) != nil || until != nil && until.Sub(r.now) > maxTimeout {
		return discordInvalid(map[string]string{"communication_disabled_until": "Must be less than 28 days in the future."})
	}
	_, timedOut := g.timeouts[user]
	switch {
	case until == nil && timedOut:
		delete(g.timeouts, user)
		r.did("time-out ended", user, map[string]any{"guild": r.PathValue("guild"), "reason": r.Header.Get("X-Audit-Log-Reason")})
	case until != nil:
		remember(g.timeouts, user, *until)
		r.did("user timed out", user, map[string]any{"guild": r.PathValue("guild"), "until": until.UTC(), "reason": r.Header.Get("X-Audit-Log-Reason")})
	}
	return ok(map[string]any{"user": map[string]string{"id": user}, "communication_disabled_until": until})
}

// getChannel is GET /channels/{channel}.
func (p *Platform) getChannel(r *request) answer {
	c, known := p.discord.channel(r.PathValue("channel"))
	if !known {
		return discordNotFound("Channel", 10003)
	}
	return ok(c.settings)
}

// modifyChannel is PATCH /channels/{channel}.
func (p *Platform) modifyChannel(r *request) answer {
	id := r.PathValue("channel")
	c, known := p.discord.channel(id)
	if !known {
		return discordNotFound("Channel", 10003)
	}
	b := map[string]any{}
	if r.read(&b) != nil {
		return discordError(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	}
	problems := map[string]string{}
	if name, there := b["name"]; there && !lengthWithin(name, 1, 100) {
		problems["name"] = "Must be between 1 and 100 in length."
	}
	if topic, there := b["topic"]; there && topic != nil && !lengthWithin(topic, 0, 1024) {
		problems["topic"] = "Must be 1024 or fewer in length."
	}
	if slow, there := b["rate_limit_per_user"]; there && slow != nil {
		if n, isNumber := slow.(float64); !isNumber || n < 0 || n > 21600 {
			problems["rate_limit_per_user"] = "int value should be between 0 and 21600."
		}
	}
	if len(problems) > 0 {
		return discordInvalid(problems)
	}
	for _, field := range []string{"name", "topic", "rate_limit_per_user", "nsfw"} {
		if value, there := b[field]; there {
			c.settings[field] = value
		}
	}
	r.did("channel modified", id, b)
	return ok(c.settings)
}

// lengthWithin tells whether a value is a text of a length in characters.
func lengthWithin(v any, least, most int) bool {
	text, isText := v.(string)
	n := utf8.RuneCountInString(text)
	return isText && n >= least && n <= most
}

// toText renders a nonce, a number or a text, as a key.
func toText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}
