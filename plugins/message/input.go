package main

import (
	_ "embed"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/template"
	"github.com/nexuscore/scheduler/sdk"
)

// input is a task's data. Which members go together is in rules.json.
type input struct {
	Platform string `json:"platform" schema:"enum=discord|twitch"`
	Action   string `json:"action,omitempty" doc:"Twitch knows no edit" schema:"enum=send|edit|delete; default=send"`

	ChannelID string `json:"channelId,omitempty" doc:"Id of the channel; on Twitch of the broadcaster" schema:"pattern=^[0-9]{1,20}$"`
	Webhook   string `json:"webhook,omitempty" doc:"Name of the secret that is the address of a Discord webhook, instead of channelId" schema:"pattern=^[A-Za-z][A-Za-z0-9_.-]{0,63}$"`
	ThreadID  string `json:"threadId,omitempty" doc:"Id of a thread of the channel" schema:"pattern=^[0-9]{1,20}$"`

	ThreadName string `json:"threadName,omitempty" doc:"Begins a thread of this name; webhooks of forums only" schema:"minLength=1; maxLength=100"`
	Username   string `json:"username,omitempty" doc:"Who seems to send it; webhooks only" schema:"minLength=1; maxLength=80"`

	Content      string            `json:"content,omitempty" doc:"The text, a template" schema:"minLength=1; maxLength=4000"`
	Embeds       []discord.Embed   `json:"embeds,omitempty" doc:"Boxes below the text, with Discord's own names; their texts are templates" schema:"minItems=1; maxItems=10"`
	Mentions     *discord.Mentions `json:"mentions,omitempty" doc:"Whom the text may ping; without it nobody"`
	ReplyTo      string            `json:"replyTo,omitempty" doc:"Id of the message that is answered" schema:"minLength=1; maxLength=64"`
	Announcement *announcement     `json:"announcement,omitempty" doc:"Makes it an announcement; Twitch only"`

	MessageID  string `json:"messageId,omitempty" doc:"Id of the message to edit or delete" schema:"minLength=1; maxLength=64"`
	MessageKey string `json:"messageKey,omitempty" doc:"A name: what is sent is kept under it, and an edit or a delete finds it there" schema:"pattern=^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`

	template.Input
}

// announcement is how an announcement looks.
type announcement struct {
	Color string `json:"color,omitempty" schema:"enum=blue|green|orange|purple|primary; default=primary"`
}

// The actions.
const (
	actionSend   = "send"
	actionEdit   = "edit"
	actionDelete = "delete"
)

// rules says which members of input need and exclude each other.
//
//go:embed rules.json
var rules string

func plugin() sdk.Plugin {
	return sdk.Typed(sdk.Plugin{
		Name:         "message",
		Version:      "1.0.0",
		Summary:      "Sends, edits and deletes messages on Discord and Twitch.",
		Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets, sdk.CapabilityState},
		DataSchema:   sdk.SchemaWith[input](rules),
		ConfigSchema: sdk.SchemaOf[platforms.Config](),
		Sample:       `{"platform":"discord","channelId":"1","content":"sample {{format .NominalTime \"15:04\"}}","timezone":"Europe/Berlin"}`,
	}, handle)
}

// fill fills the templates in.
func (in *input) fill(e sdk.Execution) error {
	texts, err := template.New(e, in.Input)
	if err != nil {
		return err
	}
	if err := texts.FillAll("content", &in.Content); err != nil {
		return err
	}
	for i := range in.Embeds {
		if err := texts.FillAll("embeds", in.Embeds[i].Texts()...); err != nil {
			return err
		}
	}
	return texts.FillAll("threadName", &in.ThreadName)
}
