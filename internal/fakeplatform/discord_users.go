package fakeplatform

import (
	"slices"
	"time"
)

// botID is the user that every token belongs to.
const botID = "1"

// currentUser is GET /users/@me.
func (*Platform) currentUser(*request) answer {
	return ok(map[string]any{"id": botID, "username": "scheduler", "bot": true})
}

// AddMessage puts a message of a user into a channel, written at a time, and
// returns its id.
func (p *Platform) AddMessage(channel, author, content string, at time.Time, pinned bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, _ := p.discord.channel(channel)
	m := &discordMessage{
		ID: p.discord.newID(at), ChannelID: channel, Content: content, Embeds: []any{}, Timestamp: at.UTC(), Pinned: pinned,
		Author: map[string]any{"id": author, "username": "user-" + author, "bot": author == botID},
	}
	after := len(c.messages)
	for after > 0 && olderID(m.ID, c.messages[after-1].ID) {
		after--
	}
	c.messages = slices.Insert(c.messages, after, m)
	return m.ID
}

// Contents returns what is in a channel, oldest first.
func (p *Platform) Contents(channel string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, _ := p.discord.channel(channel)
	contents := []string{}
	for _, m := range c.messages {
		contents = append(contents, m.Content)
	}
	return contents
}
