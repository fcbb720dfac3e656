package main

import (
	"cmp"
	_ "embed"
	"time"

	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/sdk"
)

// input is a task's data. Which members go together is in rules.json.
type input struct {
	Target   string `json:"target" doc:"What is cleaned" schema:"enum=discord_messages|twitch_chat|history|idempotency_keys|state"`
	MaxAgeMS int64  `json:"maxAgeMs,omitempty" doc:"What is older than this before the time that the occurrence is meant for goes" schema:"minimum=60000; maximum=3153600000000"`
	Limit    int    `json:"limit,omitempty" doc:"How many messages or rows one run removes at most" schema:"minimum=1; maximum=100000; default=1000"`

	ChannelID string   `json:"channelId,omitempty" doc:"Id of the Discord channel or thread" schema:"pattern=^[0-9]{1,20}$"`
	From      []string `json:"from,omitempty" doc:"Whose messages go: self is the bot, webhooks are all webhooks, an id is that of a user or webhook; without it self" schema:"minItems=1; maxItems=50; uniqueItems=true; items.pattern=^(self|webhooks|[0-9]{1,20})$"`
	Reason    string   `json:"reason,omitempty" doc:"For Discord's audit log" schema:"minLength=1; maxLength=500"`

	BroadcasterID string `json:"broadcasterId,omitempty" doc:"Id of the broadcaster whose chat is cleared" schema:"pattern=^[0-9]{1,20}$"`
	WholeChat     bool   `json:"wholeChat,omitempty" doc:"Must be true for twitch_chat: everybody's messages go, whatever their age, since Twitch deletes either one message or all"`

	Type     string   `json:"type,omitempty" doc:"Only history of this task type; of state whose it is" schema:"pattern=^[a-z][a-z0-9_-]{0,63}$"`
	Statuses []string `json:"statuses,omitempty" doc:"Only history that ended so" schema:"minItems=1; uniqueItems=true; items.enum=succeeded|failed|cancelled|lost|skipped|missed"`
	Prefix   string   `json:"prefix,omitempty" doc:"Only state under keys that begin so" schema:"minLength=1; maxLength=256"`
}

// The targets.
const (
	targetDiscord = "discord_messages"
	targetTwitch  = "twitch_chat"
)

// rules says which members of input need and exclude each other.
//
//go:embed rules.json
var rules string

func plugin() sdk.Plugin {
	return sdk.Typed(sdk.Plugin{
		Name:         "cleanup",
		Version:      "1.0.0",
		Summary:      "Removes old messages on Discord, all messages of a Twitch chat, and old history, idempotency keys and state of the scheduler.",
		Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets, sdk.CapabilityState},
		Optional:     []sdk.Capability{sdk.CapabilityMaintenance},
		DataSchema:   sdk.SchemaWith[input](rules),
		ConfigSchema: sdk.SchemaOf[platforms.Config](),
		Sample:       `{"target":"discord_messages","channelId":"1","maxAgeMs":86400000}`,
	}, handle)
}

func (in input) age() time.Duration { return time.Duration(in.MaxAgeMS) * time.Millisecond }

const defaultLimit = 1000

func (in input) limit() int { return cmp.Or(in.Limit, defaultLimit) }
