package main

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// input is a task's data. Which members go together is in rules.json.
type input struct {
	Platform string `json:"platform" schema:"enum=discord|twitch"`
	Action   string `json:"action" doc:"Discord knows no warn; Twitch no kick and no untimeout, since its unban ends time-outs, too" schema:"enum=ban|timeout|untimeout|unban|kick|warn|delete_messages"`

	GuildID       string `json:"guildId,omitempty" doc:"Id of the server; Discord only" schema:"pattern=^[0-9]{1,20}$"`
	BroadcasterID string `json:"broadcasterId,omitempty" doc:"Id of the broadcaster; Twitch only" schema:"pattern=^[0-9]{1,20}$"`

	UserID  string   `json:"userId,omitempty" doc:"Id of the user" schema:"pattern=^[0-9]{1,20}$"`
	UserIDs []string `json:"userIds,omitempty" doc:"Ids of several users, instead of userId" schema:"minItems=1; maxItems=1000; uniqueItems=true; items.pattern=^[0-9]{1,20}$"`

	Until                time.Time `json:"until,omitzero" doc:"When the time-out ends"`
	DurationMS           int64     `json:"durationMs,omitempty" doc:"How long the time-out is, from the time that the occurrence is meant for; instead of until" schema:"minimum=1000; maximum=2419200000"`
	DeleteMessageSeconds int       `json:"deleteMessageSeconds,omitempty" doc:"With a ban on Discord: deletes what the user wrote in the last seconds" schema:"minimum=1; maximum=604800"`

	ChannelID  string   `json:"channelId,omitempty" doc:"Id of the channel of the messages; Discord only" schema:"pattern=^[0-9]{1,20}$"`
	MessageIDs []string `json:"messageIds,omitempty" doc:"Ids of the messages to delete" schema:"minItems=1; maxItems=1000; uniqueItems=true"`
	All        bool     `json:"all,omitempty" doc:"Deletes all messages of the chat, instead of messageIds; Twitch only"`

	Reason string `json:"reason,omitempty" doc:"For the audit log; on Twitch the user sees it" schema:"minLength=1; maxLength=500"`
}

// The actions.
const (
	actionBan       = "ban"
	actionTimeout   = "timeout"
	actionUntimeout = "untimeout"
	actionUnban     = "unban"
	actionKick      = "kick"
	actionWarn      = "warn"
	actionDelete    = "delete_messages"
)

// rules says which members of input need and exclude each other.
//
//go:embed rules.json
var rules string

func plugin() sdk.Plugin {
	return sdk.Typed(sdk.Plugin{
		Name:         "moderation",
		Version:      "1.0.0",
		Summary:      "Bans, times out, kicks and warns users, lifts bans and time-outs, and deletes messages on Discord and Twitch.",
		Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets},
		DataSchema:   sdk.SchemaWith[input](rules),
		ConfigSchema: sdk.SchemaOf[platforms.Config](),
		Sample:       `{"platform":"discord","action":"ban","guildId":"1","userId":"2","reason":"sample"}`,
	}, handle)
}

// targets are the users, or the messages, that the action is done to: in the
// same order in every attempt. Messages come newest first, so that those that
// can be deleted together do.
func (in input) targets() []string {
	switch {
	case in.All:
		return []string{everything}
	case in.Action == actionDelete:
		ids := slices.Clone(in.MessageIDs)
		if in.Platform == "discord" {
			slices.SortStableFunc(ids, func(a, b string) int { return discord.Time(b).Compare(discord.Time(a)) })
		}
		return ids
	case in.UserID != "":
		return []string{in.UserID}
	}
	return in.UserIDs
}

// everything stands for all messages of a chat.
const everything = "all messages"

// end is when a time-out ends, zero for other actions. It does not depend on when
// the run takes place, so that a late or repeated run makes it no longer.
func (in input) end(nominal time.Time) time.Time {
	switch {
	case in.Action != actionTimeout:
		return time.Time{}
	case !in.Until.IsZero():
		return in.Until.UTC()
	}
	return nominal.Add(time.Duration(in.DurationMS) * time.Millisecond).UTC()
}

// checkEnd says why a time-out cannot last so long.
func (in input) checkEnd(end, now time.Time) error {
	most := discord.MaxTimeout
	if in.Platform == "twitch" {
		most = twitch.MaxTimeout
	}
	if end.Sub(now) > most {
		return sdk.Permanent(fmt.Errorf("until: a time-out that ends at %s, in more than the %d days that %s allows", end.Format(time.RFC3339), most/(24*time.Hour), in.Platform))
	}
	return nil
}
