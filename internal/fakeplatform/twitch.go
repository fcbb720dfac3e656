package fakeplatform

import (
	"net/http"
	"time"
)

// twitch is what Twitch remembers. Platform.mu guards it.
type twitch struct {
	channels map[string]*twitchChannel
	streams  map[string]map[string]any // by user; none: offline
}

// twitchChannel is a broadcaster's channel.
type twitchChannel struct {
	info      map[string]any
	settings  map[string]any
	messages  map[string]time.Time // in chat, by id: when sent
	bans      map[string]time.Time // by user: until when, zero is for ever
	announced time.Time            // the last announcement
}

func newTwitch() *twitch {
	return &twitch{channels: map[string]*twitchChannel{}, streams: map[string]map[string]any{}}
}

// channel finds a channel; one that nobody has named before is made.
func (t *twitch) channel(id string) *twitchChannel {
	c, known := t.channels[id]
	if !known {
		if len(t.channels) >= maxWorldObjects {
			clear(t.channels)
		}
		c = &twitchChannel{
			info: map[string]any{
				"broadcaster_id": id, "broadcaster_login": "channel" + id, "broadcaster_name": "Channel" + id, "broadcaster_language": "en",
				"game_id": "509658", "game_name": "Just Chatting", "title": "Welcome", "delay": 0, "tags": []any{},
			},
			settings: map[string]any{
				"broadcaster_id": id, "emote_mode": false, "follower_mode": false, "follower_mode_duration": nil, "slow_mode": false,
				"slow_mode_wait_time": nil, "subscriber_mode": false, "unique_chat_mode": false,
			},
			messages: map[string]time.Time{}, bans: map[string]time.Time{},
		}
		t.channels[id] = c
	}
	return c
}

// twitchError is an error in Twitch's form.
func twitchError(status int, message string) answer {
	return answer{status: status, body: map[string]any{"error": http.StatusText(status), "status": status, "message": message}}
}

// twitchRoutes is the part of the API that is there.
func (p *Platform) twitchRoutes() []route {
	const base = "/twitch/helix/"
	var routes []route
	add := func(name, method, path string, handle func(*request) answer) {
		routes = append(routes, route{
			name: "twitch." + name, pattern: method + " " + base + path, major: "broadcaster_id",
			admit: p.admitTwitch, refuse: twitchError, handle: handle,
		})
	}
	add("send_chat_message", "POST", "chat/messages", p.sendChat)
	add("send_announcement", "POST", "chat/announcements", p.announce)
	add("get_chat_settings", "GET", "chat/settings", p.getChatSettings)
	add("update_chat_settings", "PATCH", "chat/settings", p.updateChatSettings)
	add("get_channel", "GET", "channels", p.getTwitchChannel)
	add("modify_channel", "PATCH", "channels", p.modifyTwitchChannel)
	add("ban", "POST", "moderation/bans", p.twitchBan)
	add("unban", "DELETE", "moderation/bans", p.twitchUnban)
	add("delete_chat", "DELETE", "moderation/chat", p.deleteChat)
	add("warn", "POST", "moderation/warnings", p.warn)
	add("get_streams", "GET", "streams", p.getStreams)
	add("get_games", "GET", "games", p.getGames)
	return routes
}

// who reads the ids that a request about a channel names in its query. wrong has
// a status when one is missing.
func who(r *request, names ...string) (ids []string, wrong answer) {
	for _, name := range names {
		id := r.URL.Query().Get(name)
		if id == "" {
			return nil, twitchError(http.StatusBadRequest, `Missing required parameter "`+name+`"`)
		}
		if !isSnowflake(id) {
			return nil, twitchError(http.StatusBadRequest, `The parameter "`+name+`" was malformed: the value must be numeric`)
		}
		ids = append(ids, id)
	}
	return ids, answer{}
}

// SetLive makes a user's stream live with a number of viewers, or offline with a
// negative one.
func (p *Platform) SetLive(user, login, title string, viewers int, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if viewers < 0 {
		delete(p.twitch.streams, user)
		return
	}
	remember(p.twitch.streams, user, map[string]any{
		"id": "9" + user, "user_id": user, "user_login": login, "user_name": login, "game_id": "509658", "game_name": "Just Chatting",
		"type": "live", "title": title, "viewer_count": viewers, "started_at": since.UTC(), "language": "en", "is_mature": false,
	})
}
