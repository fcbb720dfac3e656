package main

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// The longest texts, in characters. maxTopic is that of forums; other channels
// have 1024, but an id does not tell what it is of, and Discord says so itself.
const (
	maxName  = 100
	maxTopic = 4096
	maxTitle = 140
)

// output is the result of an execution.
type output struct {
	Platform  string   `json:"platform"`
	ChannelID string   `json:"channelId"`
	Updated   []string `json:"updated"` // members of the data, as they are now
}

// handle sets what the data say. Doing so again changes nothing.
func handle(c *sdk.Context, in input) (output, error) {
	out := output{Platform: in.Platform, ChannelID: in.ChannelID, Updated: in.updates()}
	var cfg platforms.Config
	if err := c.Config(&cfg); err != nil {
		return out, err
	}
	if err := in.fill(c.Execution); err != nil {
		return out, err
	}
	if err := in.check(); err != nil {
		return out, sdk.Permanent(err)
	}
	if in.Platform == "twitch" {
		return out, updateTwitch(c, twitch.New(c, cfg.Twitch), in)
	}
	to := discord.Channel{Name: in.Name, Topic: in.Topic, SlowMode: in.SlowMode, NSFW: in.NSFW}
	if err := discord.New(c, cfg.Discord).ModifyChannel(in.ChannelID, to, in.Reason); err != nil {
		return out, err
	}
	c.Log.Info("updated", "channelId", in.ChannelID, "updated", out.Updated)
	return out, nil
}

// progress is what earlier attempts have done.
type progress struct {
	Channel bool `json:"channel"`
}

// updateTwitch makes up to two changes. A later attempt makes those that are
// missing: what somebody has changed since is left alone.
func updateTwitch(c *sdk.Context, client *twitch.Client, in input) error {
	var done progress
	if _, err := c.LoadCheckpoint(&done); err != nil {
		return err
	}
	if in.Chat != nil {
		if err := client.Can(); err != nil { // before the first change
			return err
		}
	}
	if in.changesChannel() && !done.Channel {
		if err := updateChannel(c, client, in); err != nil {
			return err
		}
	}
	if in.Chat == nil {
		return nil
	}
	if err := client.ModifyChat(in.ChannelID, in.Chat.settings()); err != nil {
		return err
	}
	c.Log.Info("chat updated", "channelId", in.ChannelID)
	return nil
}

// updateChannel changes the channel and notes that it has.
func updateChannel(c *sdk.Context, client *twitch.Client, in input) error {
	to, err := in.channel(client)
	if err != nil {
		return err
	}
	if err := client.ModifyChannel(in.ChannelID, to); err != nil {
		return err
	}
	if err := c.Checkpoint(progress{Channel: true}); err != nil {
		c.Log.Warn("another attempt would update the channel again", "error", err)
	}
	c.Log.Info("channel updated", "channelId", in.ChannelID)
	return nil
}

func (in input) changesChannel() bool {
	return in.Title != nil || in.GameID != nil || in.Category != nil || in.Tags != nil || in.Language != nil || in.Delay != nil
}

// channel makes the request's body, and asks Twitch for the category's id.
func (in input) channel(client *twitch.Client) (twitch.Channel, error) {
	to := twitch.Channel{Title: in.Title, GameID: in.GameID, Language: in.Language, Tags: in.Tags, Delay: in.Delay}
	if in.Category == nil {
		return to, nil
	}
	id, err := client.GameID(*in.Category)
	to.GameID = &id
	return to, err
}

func (ch chat) settings() twitch.ChatSettings {
	return twitch.ChatSettings{
		Emotes: ch.EmoteMode, Followers: ch.FollowerMode, FollowersDuration: ch.FollowerMinutes, Slow: ch.SlowMode,
		SlowWait: ch.SlowSeconds, Subscribers: ch.SubscriberMode, Unique: ch.UniqueChatMode,
	}
}

// updates lists the members that say what to change.
func (in input) updates() []string {
	updates := []string{}
	for _, u := range []struct {
		name string
		said bool
	}{
		{"name", in.Name != nil}, {"topic", in.Topic != nil}, {"slowMode", in.SlowMode != nil}, {"nsfw", in.NSFW != nil},
		{"title", in.Title != nil}, {"gameId", in.GameID != nil}, {"category", in.Category != nil}, {"tags", in.Tags != nil},
		{"language", in.Language != nil}, {"delay", in.Delay != nil}, {"chat", in.Chat != nil},
	} {
		if u.said {
			updates = append(updates, u.name)
		}
	}
	return updates
}

// check says what is wrong with the filled-in texts.
func (in input) check() error {
	return errors.Join(within("name", in.Name, 1, maxName), within("topic", in.Topic, 0, maxTopic), within("title", in.Title, 1, maxTitle))
}

func within(field string, text *string, least, most int) error {
	if text == nil {
		return nil
	}
	if n := utf8.RuneCountInString(*text); n < least || n > most {
		return fmt.Errorf("%s: has %d characters, %d to %d are allowed", field, n, least, most)
	}
	return nil
}
