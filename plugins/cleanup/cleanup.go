package main

import (
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// output is the result of an execution.
type output struct {
	Target  string `json:"target"`
	Removed int    `json:"removed"`        // messages or rows, of all attempts
	Kept    int    `json:"kept,omitempty"` // messages that are old, too, and pinned or not to be deleted
	More    bool   `json:"more"`           // the limit ended the run; the next one goes on
}

// maxWait is how long a platform's wish for patience is waited out; a longer one
// is left to the next attempt.
const maxWait = time.Minute

func handle(c *sdk.Context, in input) (output, error) {
	out := output{Target: in.Target}
	var cfg platforms.Config
	if err := c.Config(&cfg); err != nil {
		return out, err
	}
	switch in.Target {
	case targetTwitch:
		return out, clearChat(c, twitch.New(c, cfg.Twitch), in)
	case targetDiscord:
		s := sweep{c: c, client: discord.New(c, cfg.Discord), in: in}
		err := s.run()
		out.Removed, out.Kept, out.More = s.at.Removed, s.at.Kept, s.more
		return out, err
	}
	p := pruning{c: c, in: in}
	err := p.run()
	out.Removed, out.More = p.done.Removed, p.more
	return out, err
}

// clearChat removes all messages of a chat, once: what was written after an
// attempt that got so far stays.
func clearChat(c *sdk.Context, client *twitch.Client, in input) error {
	var cleared bool
	if _, err := c.LoadCheckpoint(&cleared); err != nil || cleared {
		return err
	}
	if err := patiently(c, func() error { return client.ClearChat(in.BroadcasterID) }); err != nil {
		return err
	}
	if err := c.Checkpoint(true); err != nil { // failing would make sure that it is cleared again
		c.Log.Warn("another attempt would clear the chat again", "error", err)
	}
	return nil
}

// patiently repeats what a rate limit has kept from happening.
func patiently(c *sdk.Context, do func() error) error {
	for {
		if err := do(); !c.WaitOut(err, maxWait) {
			return err
		}
	}
}
