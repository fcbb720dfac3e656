package main

import (
	_ "embed"
	"slices"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/template"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// config is the plugin's config. A platform that is in it is reached directly.
type config struct {
	Discord *discord.Config `json:"discord,omitempty"`
	Twitch  *twitch.Config  `json:"twitch,omitempty"`
}

// input is a task's data. Which members exclude each other is in rules.json.
type input struct {
	ChannelID string   `json:"channelId" doc:"The channel to remind, as the notification service knows it; for a platform that is reached directly its id there" schema:"minLength=1; maxLength=256"`
	Message   string   `json:"message" doc:"The text to send, a template" schema:"minLength=1; maxLength=2000"`
	NotifyVia []string `json:"notifyVia,omitempty" doc:"The routes to take: discord, twitch, and what the notification service has, for example email, sms, push, webhook" schema:"minItems=1; maxItems=16; uniqueItems=true; items.pattern=^[a-z][a-z0-9_-]{0,31}$; default=[\"discord\"]"`

	TwitchChannelID string            `json:"twitchChannelId,omitempty" doc:"Id of the broadcaster on Twitch, where channelId is something else" schema:"pattern=^[0-9]{1,20}$"`
	Mentions        *discord.Mentions `json:"mentions,omitempty" doc:"Whom the text may ping on Discord; without it nobody"`

	template.Input
}

// The routes that can be direct.
const (
	viaDiscord = "discord"
	viaTwitch  = "twitch"
)

// rules says which members of input exclude each other.
//
//go:embed rules.json
var rules string

func plugin() sdk.Plugin {
	return sdk.Typed(sdk.Plugin{
		Name:         "reminder",
		Version:      "1.0.0",
		Summary:      "Notifies the people of a channel.",
		Capabilities: []sdk.Capability{sdk.CapabilityNotify},
		Optional:     []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets}, // for direct routes
		DataSchema:   sdk.SchemaWith[input](rules),
		ConfigSchema: sdk.SchemaOf[config](),
		Sample:       `{"channelId":"sample","message":"sample {{format .NominalTime \"15:04\"}}","notifyVia":["discord"],"timezone":"Europe/Berlin"}`,
	}, remind)
}

// routes are the routes to take; without any it is Discord.
func (in input) routes() []string {
	if len(in.NotifyVia) == 0 {
		return []string{viaDiscord}
	}
	return in.NotifyVia
}

// discordChannel is the channel of a direct route to Discord, "" for none.
func (in input) discordChannel(cfg config) string {
	if cfg.Discord == nil || !discord.ID(in.ChannelID) || !slices.Contains(in.routes(), viaDiscord) {
		return ""
	}
	return in.ChannelID
}

// twitchChannel is the same for Twitch. Beside a route to Discord, channelId is
// Discord's.
func (in input) twitchChannel(cfg config) string {
	switch {
	case cfg.Twitch == nil || !slices.Contains(in.routes(), viaTwitch):
		return ""
	case in.TwitchChannelID != "":
		return in.TwitchChannelID
	case twitch.ID(in.ChannelID) && !slices.Contains(in.routes(), viaDiscord):
		return in.ChannelID
	}
	return ""
}
