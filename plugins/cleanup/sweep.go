package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/sdk"
)

const (
	pageSize = 100
	// maxPages bounds how much of a channel one run looks at.
	maxPages = 100
	// bulkAge is how old messages are deleted together: a little less than Discord
	// allows, since its clock decides.
	bulkAge = discord.BulkAge - time.Minute
	// cursorTime is how long a run that could not finish is gone on with.
	cursorTime = 30 * 24 * time.Hour
)

// sweep deletes old messages of a Discord channel, page by page towards the
// oldest.
type sweep struct {
	c      *sdk.Context
	client *discord.Client
	in     input

	self   string // the bot's own id, when its messages go
	at     place
	more   bool
	singly bool // the bot may not delete messages together
}

// place is where a sweep is: the checkpoint, and what is kept for the next run.
type place struct {
	Before  string `json:"before"` // the messages before this id are still to be looked at
	Removed int    `json:"removed"`
	Kept    int    `json:"kept"`
	Pages   int    `json:"pages"`
}

func (s *sweep) run() error {
	if err := s.begin(); err != nil {
		return err
	}
	if slices.Contains(s.from(), fromSelf) {
		err := patiently(s.c, func() (err error) { s.self, err = s.client.Self(); return err })
		if err != nil {
			return err
		}
	}
	for {
		if s.more = s.at.Removed >= s.in.limit() || s.at.Pages >= maxPages; s.more {
			return s.c.Set(s.key(), s.at.Before, cursorTime)
		}
		last, err := s.page()
		if err != nil {
			return err
		}
		if err := s.c.Checkpoint(s.at); err != nil {
			return err
		}
		if last {
			return s.c.Delete(s.key())
		}
	}
}

// begin finds where to go on: where the last attempt was, or the last run that
// could not finish, or the youngest message that is old enough.
func (s *sweep) begin() error {
	found, err := s.c.LoadCheckpoint(&s.at)
	if found || err != nil {
		return err
	}
	if found, err = s.c.Get(s.key(), &s.at.Before); found || err != nil {
		return err
	}
	s.at.Before = discord.At(s.c.Execution.NominalTime.Add(-s.in.age()))
	return nil
}

// key is where a task keeps how far it came in a channel.
func (s *sweep) key() string { return "cursor/" + s.c.Execution.TaskID + "/" + s.in.ChannelID }

// page looks at the next messages and deletes those that should go. It reports
// whether they were the last.
func (s *sweep) page() (last bool, err error) {
	var found []discord.Posted
	err = patiently(s.c, func() (err error) {
		found, err = s.client.Messages(s.in.ChannelID, s.at.Before, pageSize)
		return err
	})
	if err != nil {
		return false, err
	}
	next, room := s.at.Before, s.in.limit()-s.at.Removed
	var gone []string
	for _, m := range found {
		if len(gone) == room {
			break
		}
		next = m.ID
		switch {
		case !s.mine(m):
		case m.Pinned:
			s.at.Kept++
		default:
			gone = append(gone, m.ID)
		}
	}
	if err := s.delete(gone); err != nil {
		return false, err
	}
	s.at.Before, s.at.Pages = next, s.at.Pages+1
	return len(found) < pageSize && (len(found) == 0 || next == found[len(found)-1].ID), nil
}

// delete removes messages, newest first: the young ones together.
func (s *sweep) delete(ids []string) error {
	young, oldest := 0, s.c.Now().Add(-bulkAge)
	for young < len(ids) && discord.Time(ids[young]).After(oldest) {
		young++
	}
	if young >= 2 && !s.singly {
		err := patiently(s.c, func() error { return s.client.DeleteBulk(s.in.ChannelID, ids[:young], s.in.Reason) })
		switch {
		case err == nil:
			s.at.Removed += young
			ids = ids[young:]
		case !discord.OneByOne(err):
			return err
		default:
			s.singly = discord.IsStatus(err, 403)
		}
	}
	return s.deleteSingly(ids)
}

func (s *sweep) deleteSingly(ids []string) error {
	for _, id := range ids {
		err := patiently(s.c, func() error { return s.client.Delete(s.in.ChannelID, id, s.in.Reason) })
		switch {
		case err == nil:
			s.at.Removed++
		case discord.IsCode(err, discord.CodeSystemMessage):
			s.at.Kept++
		default:
			return err
		}
	}
	return nil
}

// Whose messages go, besides ids.
const (
	fromSelf     = "self"
	fromWebhooks = "webhooks"
)

func (s *sweep) from() []string {
	if len(s.in.From) == 0 {
		return []string{fromSelf}
	}
	return s.in.From
}

// mine tells whether a message is of those whose messages go.
func (s *sweep) mine(m discord.Posted) bool {
	from, webhook := s.from(), m.WebhookID != ""
	switch {
	case webhook && slices.Contains(from, fromWebhooks):
		return true
	case !webhook && m.Author.ID == s.self && s.self != "":
		return true
	}
	return slices.Contains(from, cmp.Or(m.WebhookID, m.Author.ID))
}
