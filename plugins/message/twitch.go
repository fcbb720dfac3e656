package main

import (
	"errors"

	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// chat is a broadcaster's chat on Twitch.
type chat struct {
	client      *twitch.Client
	broadcaster string
}

// send implements place. Twitch has nothing to recognize a repetition by, and no
// ids for announcements.
func (ch chat) send(in input) (sent, error) {
	done := sent{Platform: "twitch", ChannelID: ch.broadcaster}
	if err := twitch.CheckMessage(in.Content); err != nil {
		return done, err
	}
	var err error
	if in.Announcement != nil {
		err = ch.client.Announce(ch.broadcaster, in.Content, in.Announcement.Color)
	} else {
		done.MessageID, err = ch.client.Say(ch.broadcaster, in.Content, in.ReplyTo)
	}
	return done, err
}

// edit implements place.
func (chat) edit(string, input) error {
	return sdk.Permanent(errors.New("action: Twitch cannot edit messages"))
}

// delete implements place.
func (ch chat) delete(messageID string) error {
	return ch.client.DeleteMessage(ch.broadcaster, messageID)
}
