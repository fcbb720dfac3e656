package main

import (
	"cmp"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// output is the result of an execution.
type output struct {
	Platform   string `json:"platform"`
	Action     string `json:"action"`
	ChannelID  string `json:"channelId,omitempty"`
	ThreadID   string `json:"threadId,omitempty"`
	MessageID  string `json:"messageId,omitempty"` // an announcement has none
	MessageKey string `json:"messageKey,omitempty"`
}

// place is where messages are.
type place interface {
	// send sends what the data say and returns where it is.
	send(in input) (sent, error)
	edit(messageID string, in input) error
	// delete removes a message. One that is gone is no error.
	delete(messageID string) error
}

// sent is a message that was sent: what a later attempt needs to know of it, and
// what is kept under its key.
type sent struct {
	Platform  string `json:"platform"`
	ChannelID string `json:"channelId,omitempty"`
	Webhook   string `json:"webhook,omitempty"`
	ThreadID  string `json:"threadId,omitempty"`
	MessageID string `json:"messageId,omitempty"`
}

func handle(c *sdk.Context, in input) (output, error) {
	in.Action = cmp.Or(in.Action, actionSend)
	out := output{Platform: in.Platform, Action: in.Action, MessageKey: in.MessageKey}
	var cfg platforms.Config
	if err := c.Config(&cfg); err != nil {
		return out, err
	}
	if err := in.fill(c.Execution); err != nil {
		return out, err
	}
	if in.Action == actionSend {
		m, err := send(c, placeOf(c, cfg, in.place()), in)
		out.ChannelID, out.ThreadID, out.MessageID = m.ChannelID, m.ThreadID, m.MessageID
		return out, err
	}
	m, found, err := in.which(c)
	if err != nil || !found {
		return out, err
	}
	out.ChannelID, out.ThreadID, out.MessageID = m.ChannelID, m.ThreadID, m.MessageID
	return out, change(c, placeOf(c, cfg, m), m, in)
}

// send sends once: what an earlier attempt has sent, it has noted.
func send(c *sdk.Context, p place, in input) (sent, error) {
	var m sent
	found, err := c.LoadCheckpoint(&m)
	if err != nil {
		return m, err
	}
	if !found {
		if in.MessageKey != "" {
			if err := reserve(c, in); err != nil {
				return sent{}, err
			}
		}
		if m, err = p.send(in); err != nil {
			return sent{}, err
		}
		if err := c.Checkpoint(m); err != nil {
			c.Log.Warn("another attempt would send it again", "error", err) // to fail now would make sure of it
		}
		c.Log.Info("sent", "channelId", m.ChannelID, "messageId", m.MessageID)
	}
	if in.MessageKey == "" {
		return m, nil
	}
	return m, keep(c, in.MessageKey, m)
}

// change edits or deletes a message. Both can be repeated.
func change(c *sdk.Context, p place, m sent, in input) error {
	if in.Action == actionEdit {
		if err := p.edit(m.MessageID, in); err != nil {
			return err
		}
		if in.MessageKey == "" {
			return nil
		}
		return keep(c, in.MessageKey, m) // from now on
	}
	if err := p.delete(m.MessageID); err != nil {
		return err
	}
	if in.MessageKey == "" {
		return nil
	}
	return forget(c, in.MessageKey)
}

// place is where the data say that a message is or goes.
func (in input) place() sent {
	return sent{Platform: in.Platform, ChannelID: in.ChannelID, Webhook: in.Webhook, ThreadID: in.ThreadID, MessageID: in.MessageID}
}

// placeOf finds the place of a message.
func placeOf(c *sdk.Context, cfg platforms.Config, m sent) place {
	switch {
	case m.Platform == "twitch":
		return chat{twitch.New(c, cfg.Twitch), m.ChannelID}
	case m.Webhook != "":
		return webhook{discord.New(c, cfg.Discord), m}
	}
	return channel{discord.New(c, cfg.Discord), c.Execution.ID, m}
}
