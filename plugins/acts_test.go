package plugins_test

import (
	"fmt"
	"strconv"
	"time"
)

// act is something that a bundled task type does on a platform.
type act struct {
	taskType string
	name     string
	// data are a task's, for the n-th time: on a target that nothing was done to.
	data func(n int) string
	// route is the fake's route that the effect comes by.
	route string
	// again says that the platform cannot tell a repetition: it has its effect a
	// second time. For what sets a state that is the same once more.
	again bool
	// bodiless says that nothing in the answer is needed.
	bodiless bool
	// prepare makes what the act is done to.
	prepare func(p platforms, n int)
}

// platform is the one that the effect is on.
func (a act) platform() string {
	return map[byte]string{'d': "discord", 't': "twitch"}[a.route[0]]
}

// to makes data that name the n-th target.
func to(format string) func(int) string {
	return func(n int) string { return fmt.Sprintf(format, strconv.Itoa(1000+n)) }
}

// acts are all types, on all platforms that they act on.
func acts() []act {
	const figures = `"name": "x", "sources": [{"kind": "helix_streams", "userIds": ["9"]}], "metrics": [{"as": "n", "op": "count"}]`
	return []act{
		{taskType: "reminder", name: "discord", route: "discord.create_message", data: to(`{"channelId": "%s", "message": "hi"}`)},
		{taskType: "reminder", name: "twitch", route: "twitch.send_chat_message", again: true, data: to(`{"channelId": "%s", "message": "hi", "notifyVia": ["twitch"]}`)},
		{taskType: "message", name: "discord", route: "discord.create_message", data: to(`{"platform": "discord", "channelId": "%s", "content": "hi", "messageKey": "k"}`)},
		{taskType: "message", name: "webhook", route: "discord.execute_webhook", again: true, data: func(int) string { return `{"platform": "discord", "webhook": "discord_webhook", "content": "hi"}` }},
		{taskType: "message", name: "chat", route: "twitch.send_chat_message", again: true, data: to(`{"platform": "twitch", "channelId": "%s", "content": "hi", "messageKey": "k"}`)},
		{taskType: "message", name: "announcement", route: "twitch.send_announcement", again: true, bodiless: true, data: to(`{"platform": "twitch", "channelId": "%s", "content": "hi", "announcement": {}}`)},
		{taskType: "channel_update", name: "discord", route: "discord.modify_channel", again: true, bodiless: true, data: to(`{"platform": "discord", "channelId": "%s", "topic": "chess"}`)},
		{taskType: "channel_update", name: "twitch", route: "twitch.modify_channel", again: true, bodiless: true, data: to(`{"platform": "twitch", "channelId": "%s", "title": "Chess"}`)},
		{taskType: "moderation", name: "discord ban", route: "discord.ban", bodiless: true, data: to(`{"platform": "discord", "action": "ban", "guildId": "7", "userId": "%s"}`)},
		{taskType: "moderation", name: "discord time-out", route: "discord.modify_member", again: true, bodiless: true, data: to(`{"platform": "discord", "action": "timeout", "guildId": "7", "userId": "%s", "durationMs": 86400000}`)},
		{taskType: "moderation", name: "twitch ban", route: "twitch.ban", bodiless: true, data: to(`{"platform": "twitch", "action": "ban", "broadcasterId": "7", "userId": "%s"}`)},
		{taskType: "moderation", name: "twitch warning", route: "twitch.warn", again: true, bodiless: true, data: to(`{"platform": "twitch", "action": "warn", "broadcasterId": "7", "userId": "%s", "reason": "spam"}`)},
		{taskType: "aggregation", name: "discord", route: "discord.create_message", data: to(`{` + figures + `, "storeAs": "last", "post": {"platform": "discord", "channelId": "%s", "content": "{{.Data.metrics.n}}"}}`)},
		{taskType: "aggregation", name: "twitch", route: "twitch.send_chat_message", again: true, data: to(`{` + figures + `, "publish": true, "post": {"platform": "twitch", "channelId": "%s", "content": "{{.Data.metrics.n}}"}}`)},
		{taskType: "cleanup", name: "discord", route: "discord.bulk_delete", bodiless: true, data: to(`{"target": "discord_messages", "channelId": "%s", "maxAgeMs": 60000, "from": ["5"]}`), prepare: func(p platforms, n int) {
			for range 2 {
				p.AddMessage(strconv.Itoa(1000+n), "5", "old", time.Now().Add(-time.Hour), false)
			}
		}},
		{taskType: "cleanup", name: "twitch", route: "twitch.delete_chat", again: true, bodiless: true, data: to(`{"target": "twitch_chat", "broadcasterId": "%s", "wholeChat": true}`)},
	}
}
