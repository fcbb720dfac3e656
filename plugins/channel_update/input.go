package main

import (
	_ "embed"

	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/template"
	"github.com/nexuscore/scheduler/sdk"
)

// input is a task's data: what is not there is left as it is. Which members go
// together is in rules.json.
type input struct {
	Platform  string `json:"platform" schema:"enum=discord|twitch"`
	ChannelID string `json:"channelId" doc:"Id of the channel; on Twitch of the broadcaster" schema:"pattern=^[0-9]{1,20}$"`
	Reason    string `json:"reason,omitempty" doc:"For Discord's audit log" schema:"minLength=1; maxLength=512"`

	Name     *string `json:"name,omitempty" doc:"Discord: the channel's name, a template" schema:"minLength=1; maxLength=1000"`
	Topic    *string `json:"topic,omitempty" doc:"Discord: the channel's topic, a template; empty removes it" schema:"maxLength=4096"`
	SlowMode *int    `json:"slowMode,omitempty" doc:"Discord: seconds between two messages of a user, 0 for none" schema:"minimum=0; maximum=21600"`
	NSFW     *bool   `json:"nsfw,omitempty" doc:"Discord: only for adults"`

	Title    *string   `json:"title,omitempty" doc:"Twitch: the stream's title, a template" schema:"minLength=1; maxLength=1000"`
	GameID   *string   `json:"gameId,omitempty" doc:"Twitch: id of the game or category, 0 for none" schema:"pattern=^[0-9]{1,20}$"`
	Category *string   `json:"category,omitempty" doc:"Twitch: name of the game or category, instead of gameId" schema:"minLength=1; maxLength=200"`
	Tags     *[]string `json:"tags,omitempty" doc:"Twitch: all tags of the channel" schema:"maxItems=10; uniqueItems=true; items.pattern=^\\S{1,25}$"`
	Language *string   `json:"language,omitempty" doc:"Twitch: ISO 639-1 code, or other" schema:"pattern=^([a-z]{2}|zh-hk|asl|other)$"`
	Delay    *int      `json:"delay,omitempty" doc:"Twitch: seconds that the stream is delayed; partners only" schema:"minimum=0; maximum=900"`
	Chat     *chat     `json:"chat,omitempty" doc:"Twitch: the modes of the chat"`

	template.Input
}

// chat is the modes of a chat.
type chat struct {
	EmoteMode       *bool `json:"emoteMode,omitempty" doc:"Only emotes"`
	FollowerMode    *bool `json:"followerMode,omitempty" doc:"Only followers"`
	FollowerMinutes *int  `json:"followerMinutes,omitempty" doc:"For how long they must have followed; with followerMode" schema:"minimum=0; maximum=129600"`
	SlowMode        *bool `json:"slowMode,omitempty" doc:"A wait between two messages of a user"`
	SlowSeconds     *int  `json:"slowSeconds,omitempty" doc:"How long it is; with slowMode" schema:"minimum=3; maximum=120"`
	SubscriberMode  *bool `json:"subscriberMode,omitempty" doc:"Only subscribers"`
	UniqueChatMode  *bool `json:"uniqueChatMode,omitempty" doc:"No message twice"`
}

// rules says which members of input need and exclude each other.
//
//go:embed rules.json
var rules string

func plugin() sdk.Plugin {
	return sdk.Typed(sdk.Plugin{
		Name:         "channel_update",
		Version:      "1.0.0",
		Summary:      "Changes channels on Discord and Twitch: title, category, tags, chat modes; name, topic, slow mode.",
		Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets},
		DataSchema:   sdk.SchemaWith[input](rules),
		ConfigSchema: sdk.SchemaOf[platforms.Config](),
		Sample:       `{"platform":"discord","channelId":"1","topic":"sample {{format .NominalTime \"15:04\"}}","timezone":"Europe/Berlin"}`,
	}, handle)
}

// fill fills the templates in.
func (in *input) fill(e sdk.Execution) error {
	texts, err := template.New(e, in.Input)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		field string
		text  *string
	}{{"name", in.Name}, {"topic", in.Topic}, {"title", in.Title}} {
		if err := texts.FillAll(f.field, f.text); err != nil {
			return err
		}
	}
	return nil
}
