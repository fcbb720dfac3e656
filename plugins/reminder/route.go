package main

import (
	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// route is a way to people that needs no notification service.
type route struct {
	name  string
	check func() error // whether it can be taken, before anything is sent
	send  func() (messageID string, err error)
}

// direct lists the routes that are taken directly.
func direct(c *sdk.Context, cfg config, in input) []route {
	var routes []route
	if channel := in.discordChannel(cfg); channel != "" {
		m := discord.Message{Content: in.Message, Nonce: discord.Nonce(c.Execution.ID, 0), Enforce: true}
		if in.Mentions != nil {
			m.Mentions = *in.Mentions
		}
		routes = append(routes, route{viaDiscord, m.Check, func() (string, error) {
			posted, err := discord.New(c, *cfg.Discord).Create(channel, m)
			return posted.ID, err
		}})
	}
	if channel := in.twitchChannel(cfg); channel != "" {
		client := twitch.New(c, *cfg.Twitch)
		check := func() error {
			if err := client.Can(); err != nil {
				return err
			}
			return twitch.CheckMessage(in.Message)
		}
		routes = append(routes, route{viaTwitch, check, func() (string, error) { return client.Say(channel, in.Message, "") }})
	}
	return routes
}
