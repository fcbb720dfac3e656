package main

import (
	"time"

	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// chat is a chat of Twitch.
type chat struct {
	c      *sdk.Context
	client *twitch.Client
	in     input
	end    time.Time // of a time-out
}

// one implements actor.
func (ch chat) one(target string) error {
	id, reason := ch.in.BroadcasterID, ch.in.Reason
	switch ch.in.Action {
	case actionBan:
		return ch.client.Ban(id, target, 0, reason)
	case actionTimeout: // Twitch counts from now on
		return ch.client.Ban(id, target, max(ch.end.Sub(ch.c.Now()), time.Second), reason)
	case actionUnban:
		return ch.client.Unban(id, target)
	case actionWarn:
		return ch.client.Warn(id, target, reason)
	}
	if target == everything {
		return ch.client.ClearChat(id)
	}
	return ch.client.DeleteMessage(id, target)
}

// together implements actor.
func (chat) together([]string) int { return 1 }

// many implements actor.
func (chat) many(targets []string) ([]string, error) { return targets, nil }
