package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/plugins/discord"
	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/plugins/template"
	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// output is the result of an execution, and what is kept and published.
type output struct {
	Name string     `json:"name"`
	At   time.Time  `json:"at"`             // the time that the occurrence was meant for
	From *time.Time `json:"from,omitempty"` // the window reaches from here to At

	figures
	Groups []groupFigures `json:"groups,omitempty"`

	Pages   int  `json:"pages"`             // that were asked for
	Outside int  `json:"outside,omitempty"` // rows that were not in the window
	Ignored int  `json:"ignored,omitempty"` // rows without a time, and values that should be numbers and are not
	More    bool `json:"more,omitempty"`    // a source has more; the next run goes on
}

func handle(c *sdk.Context, in input) (output, error) {
	out := output{Name: in.Name, At: c.Execution.NominalTime.UTC()}
	if err := in.check(); err != nil {
		return out, err
	}
	var cfg platforms.Config
	if err := c.Config(&cfg); err != nil {
		return out, err
	}
	r := run{c: c, in: in, out: &out, table: newTable(in)}
	if err := r.collect(cfg); err != nil {
		return out, err
	}
	out.figures, out.Groups = r.table.figures(r.table.all), r.table.grouped()
	out.Ignored += r.table.ignored
	if in.StoreAs != "" {
		if err := c.Set(in.StoreAs, out, 0); err != nil {
			return out, err
		}
	}
	if in.Publish {
		if err := c.Publish("aggregation."+in.Name, out); err != nil {
			return out, err
		}
	}
	if in.Post != nil {
		return out, tell(c, cfg, *in.Post, out)
	}
	return out, nil
}

// tell sends the message, once where the platform knows a repetition or an
// earlier attempt could note that it was sent.
func tell(c *sdk.Context, cfg platforms.Config, p post, out output) error {
	var sent bool
	if _, err := c.LoadCheckpoint(&sent); err != nil || sent {
		return err
	}
	content, err := p.render(c.Execution, out)
	if err != nil {
		return err
	}
	if err := p.send(c, cfg, content); err != nil {
		return fmt.Errorf("post: %w", err)
	}
	if err := c.Checkpoint(true); err != nil {
		c.Log.Warn("another attempt would send it again", "error", err) // to fail now would make sure of it
	}
	return nil
}

// render fills the result in.
func (p post) render(e sdk.Execution, out output) (string, error) {
	raw, err := json.Marshal(out)
	if err != nil {
		return "", sdk.Permanent(err)
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return "", sdk.Permanent(err)
	}
	texts, err := template.New(e, template.Input{Timezone: p.Timezone, Values: values})
	if err != nil {
		return "", err
	}
	return texts.Fill("post.content", p.Content)
}

func (p post) send(c *sdk.Context, cfg platforms.Config, content string) error {
	if p.Platform == "twitch" {
		if err := twitch.CheckMessage(content); err != nil {
			return err
		}
		_, err := twitch.New(c, cfg.Twitch).Say(p.ChannelID, content, "")
		return err
	}
	m := discord.Message{Content: content, Nonce: discord.Nonce(c.Execution.ID, 0), Enforce: true}
	if err := m.Check(); err != nil {
		return err
	}
	_, err := discord.New(c, cfg.Discord).Create(p.ChannelID, m)
	return err
}
