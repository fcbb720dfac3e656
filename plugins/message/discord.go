package main

import (
	"cmp"

	"github.com/nexuscore/scheduler/plugins/discord"
)

// channel is a channel of Discord, or a thread of one, in which the bot writes.
type channel struct {
	client      *discord.Client
	executionID string
	at          sent
}

// id is where requests go: for Discord a thread is a channel.
func (ch channel) id() string { return cmp.Or(ch.at.ThreadID, ch.at.ChannelID) }

// send implements place. Within some minutes Discord knows a repetition by its
// nonce.
func (ch channel) send(in input) (sent, error) {
	m := in.message()
	m.Nonce, m.Enforce = discord.Nonce(ch.executionID, 0), true
	if in.ReplyTo != "" {
		m.ReplyTo = &discord.Reference{MessageID: in.ReplyTo}
	}
	if err := m.Check(); err != nil {
		return sent{}, err
	}
	posted, err := ch.client.Create(ch.id(), m)
	done := ch.at
	done.MessageID = posted.ID
	return done, err
}

// edit implements place.
func (ch channel) edit(messageID string, in input) error {
	m := in.message()
	if err := m.Check(); err != nil {
		return err
	}
	_, err := ch.client.Edit(ch.id(), messageID, m)
	return err
}

// delete implements place.
func (ch channel) delete(messageID string) error { return ch.client.Delete(ch.id(), messageID, "") }

// webhook is a webhook of Discord.
type webhook struct {
	client *discord.Client
	at     sent
}

func (w webhook) address() discord.Webhook { return discord.Webhook("{{secret:" + w.at.Webhook + "}}") }

// send implements place. Webhooks have nothing to recognize a repetition by.
func (w webhook) send(in input) (sent, error) {
	m := in.message()
	m.ThreadName, m.Username = in.ThreadName, in.Username
	if err := m.Check(); err != nil {
		return sent{}, err
	}
	posted, err := w.client.Execute(w.address(), w.at.ThreadID, m)
	done := w.at
	done.MessageID, done.ChannelID = posted.ID, posted.ChannelID
	if in.ThreadName != "" {
		done.ThreadID = posted.ChannelID // a forum's message is in the thread that it began
	}
	return done, err
}

// edit implements place.
func (w webhook) edit(messageID string, in input) error {
	m := in.message()
	if err := m.Check(); err != nil {
		return err
	}
	_, err := w.client.EditThrough(w.address(), w.at.ThreadID, messageID, m)
	return err
}

// delete implements place.
func (w webhook) delete(messageID string) error {
	return w.client.DeleteThrough(w.address(), w.at.ThreadID, messageID)
}

// message is what is common to all messages of Discord.
func (in input) message() discord.Message {
	m := discord.Message{Content: in.Content, Embeds: in.Embeds}
	if in.Mentions != nil {
		m.Mentions = *in.Mentions
	}
	return m
}
