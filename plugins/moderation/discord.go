package main

import (
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/sdk"
)

// guild is a server of Discord, whose users are moderated.
type guild struct {
	client *discord.Client
	in     input
	end    time.Time // of a time-out; zero ends it
}

// one implements actor.
func (g guild) one(user string) error {
	id, reason := g.in.GuildID, g.in.Reason
	switch g.in.Action {
	case actionBan:
		return g.client.Ban(id, user, g.in.DeleteMessageSeconds, reason)
	case actionUnban:
		return g.client.Unban(id, user, reason)
	case actionKick:
		return whoIsGone(g.client.Kick(id, user, reason))
	}
	return whoIsGone(g.client.Timeout(id, user, g.end, reason)) // no end: untimeout
}

// whoIsGone makes no error of a member who has left.
func whoIsGone(err error) error {
	if discord.IsCode(err, discord.CodeUnknownMember) {
		return nil
	}
	return err
}

// together implements actor: bans can be done in bulk.
func (g guild) together(users []string) int {
	if g.in.Action != actionBan {
		return 1
	}
	return min(len(users), discord.MaxBulkBan)
}

// many implements actor. Those whom Discord does not ban in bulk it may ban one by
// one, or have banned before; and without the permission to manage the server
// there is no bulk.
func (g guild) many(users []string) ([]string, error) {
	failed, err := g.client.BanBulk(g.in.GuildID, users, g.in.DeleteMessageSeconds, g.in.Reason)
	if discord.IsStatus(err, 403) {
		return users, nil
	}
	return failed, err
}

// bulkAge is how old messages are deleted together: a little less than Discord
// allows, since its clock decides.
const bulkAge = discord.BulkAge - time.Minute

// channel is a channel of Discord, whose messages are deleted.
type channel struct {
	c      *sdk.Context
	client *discord.Client
	in     input
}

// one implements actor.
func (ch channel) one(message string) error {
	return ch.client.Delete(ch.in.ChannelID, message, ch.in.Reason)
}

// together implements actor: messages of the last two weeks can be deleted in
// bulk.
func (ch channel) together(messages []string) int {
	oldest, n := ch.c.Now().Add(-bulkAge), 0
	for n < min(len(messages), discord.MaxBulk) && discord.Time(messages[n]).After(oldest) {
		n++
	}
	return n
}

// many implements actor. What is not deleted in bulk may be one by one.
func (ch channel) many(messages []string) ([]string, error) {
	err := ch.client.DeleteBulk(ch.in.ChannelID, messages, ch.in.Reason)
	if discord.OneByOne(err) {
		return messages, nil
	}
	return nil, err
}
