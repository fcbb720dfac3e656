package fakeplatform

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// discord is what Discord remembers. Platform.mu guards it.
type discord struct {
	sequence int64
	channels map[string]*discordChannel
	guilds   map[string]*discordGuild
	nonces   map[string]nonce // by channel and nonce
}

func newDiscord() *discord {
	return &discord{channels: map[string]*discordChannel{}, guilds: map[string]*discordGuild{}, nonces: map[string]nonce{}}
}

const (
	discordEpoch    = 1420070400000 // milliseconds: the first second of 2015
	maxWorldObjects = 10_000        // messages of a channel, nonces, members of a guild
)

// remember adds to what a world knows, which forgets the rest when it is too much.
func remember[V any](known map[string]V, key string, value V) {
	if _, there := known[key]; !there && len(known) >= maxWorldObjects {
		clear(known)
	}
	known[key] = value
}

// newID makes a snowflake: milliseconds since 2015, then a sequence.
func (d *discord) newID(now time.Time) string {
	d.sequence++
	return strconv.FormatInt((now.UnixMilli()-discordEpoch)<<22|d.sequence&0x3fffff, 10)
}

// snowflakeTime is when an id was made.
func snowflakeTime(id string) time.Time {
	n, _ := strconv.ParseInt(id, 10, 64) // isSnowflake has been asked
	return time.UnixMilli(n>>22 + discordEpoch)
}

// isSnowflake tells whether a text has the form of an id.
func isSnowflake(id string) bool {
	return len(id) > 0 && len(id) <= 20 && strings.Trim(id, "0123456789") == ""
}

// discordError is an error in Discord's form.
func discordError(status, code int, message string) answer {
	return answer{status: status, body: map[string]any{"message": message, "code": code}}
}

func refuseDiscord(status int, message string) answer { return discordError(status, 0, message) }

// discordInvalid is the error about fields of a body: "field: problem" each.
func discordInvalid(problems map[string]string) answer {
	fields := map[string]any{}
	for field, problem := range problems {
		fields[field] = map[string]any{"_errors": []map[string]string{{"code": "BASE_TYPE_INVALID", "message": problem}}}
	}
	return answer{status: http.StatusBadRequest, body: map[string]any{"message": "Invalid Form Body", "code": 50035, "errors": fields}}
}

func discordNotFound(what string, code int) answer {
	return discordError(http.StatusNotFound, code, "Unknown "+what)
}

// discordRoutes is the part of the API that is there.
func (p *Platform) discordRoutes() []route {
	const base = "/discord/api/v10/"
	var routes []route
	add := func(name, method, path, major string, handle func(*request) answer) {
		routes = append(routes, route{
			name: "discord." + name, pattern: method + " " + base + path, major: major,
			admit: p.admitDiscord, refuse: refuseDiscord, handle: handle,
		})
	}
	add("create_message", "POST", "channels/{channel}/messages", "channel", p.createMessage)
	add("get_messages", "GET", "channels/{channel}/messages", "channel", p.getMessages)
	add("get_message", "GET", "channels/{channel}/messages/{message}", "channel", p.getMessage)
	add("edit_message", "PATCH", "channels/{channel}/messages/{message}", "channel", p.editMessage)
	add("delete_message", "DELETE", "channels/{channel}/messages/{message}", "channel", p.deleteMessage)
	add("bulk_delete", "POST", "channels/{channel}/messages/bulk-delete", "channel", p.bulkDelete)
	add("get_channel", "GET", "channels/{channel}", "channel", p.getChannel)
	add("modify_channel", "PATCH", "channels/{channel}", "channel", p.modifyChannel)
	add("execute_webhook", "POST", "webhooks/{webhook}/{token}", "webhook", p.executeWebhook)
	add("edit_webhook_message", "PATCH", "webhooks/{webhook}/{token}/messages/{message}", "webhook", p.editWebhookMessage)
	add("delete_webhook_message", "DELETE", "webhooks/{webhook}/{token}/messages/{message}", "webhook", p.deleteWebhookMessage)
	add("get_current_user", "GET", "users/@me", "", p.currentUser)
	add("get_guild", "GET", "guilds/{guild}", "guild", p.getGuild)
	add("ban", "PUT", "guilds/{guild}/bans/{user}", "guild", p.discordBan)
	add("unban", "DELETE", "guilds/{guild}/bans/{user}", "guild", p.discordUnban)
	add("bulk_ban", "POST", "guilds/{guild}/bulk-ban", "guild", p.bulkBan)
	add("kick", "DELETE", "guilds/{guild}/members/{user}", "guild", p.kick)
	add("modify_member", "PATCH", "guilds/{guild}/members/{user}", "guild", p.modifyMember)
	return routes
}
