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
	Platform string     `json:"platform"`
	Action   string     `json:"action"`
	Done     int        `json:"done"` // users or messages that are now as asked, also those that were before
	Until    *time.Time `json:"until,omitempty"`
	Note     string     `json:"note,omitempty"`
}

// actor does an action on one platform. Doing it again to the same target does
// no harm, and one that is gone is no error.
type actor interface {
	one(target string) error
	// together tells how many of the targets, from the first on, many can be given.
	together(targets []string) int
	// many does it to several at once. Those that it returns are to be done one by
	// one.
	many(targets []string) (rest []string, err error)
}

// Notes in the result.
const (
	noteEnded     = "the time-out's end has passed; nothing was done"
	noteEndedLast = "the time-out's end has passed before all was done; the rest was left alone"
)

func handle(c *sdk.Context, in input) (output, error) {
	out := output{Platform: in.Platform, Action: in.Action}
	var cfg platforms.Config
	if err := c.Config(&cfg); err != nil {
		return out, err
	}
	end := in.end(c.Execution.NominalTime)
	if !end.IsZero() {
		out.Until = &end
		if err := in.checkEnd(end, c.Now()); err != nil {
			return out, err
		}
	}
	w := worklist{c: c, actor: actorOf(c, cfg, in, end), end: end, targets: in.targets()}
	if err := w.run(); err != nil {
		return out, err
	}
	out.Done = w.done.count(w.targets)
	out.Note = w.note()
	return out, nil
}

// actorOf finds who does it.
func actorOf(c *sdk.Context, cfg platforms.Config, in input, end time.Time) actor {
	if in.Platform == "twitch" {
		return chat{c, twitch.New(c, cfg.Twitch), in, end}
	}
	d := discord.New(c, cfg.Discord)
	if in.Action == actionDelete {
		return channel{c, d, in}
	}
	return guild{d, in, end}
}
