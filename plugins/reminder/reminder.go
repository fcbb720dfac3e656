package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/plugins/template"
	"github.com/nexuscore/scheduler/sdk"
)

// report is the result of an execution. Whether what goes through the
// notification service has arrived is not in it: it is delivered after the
// success.
type report struct {
	ID        string            `json:"id,omitempty"` // of the notification, its idempotency key
	ChannelID string            `json:"channelId"`
	Via       []string          `json:"via"`                // the routes that were asked for
	Messages  map[string]string `json:"messages,omitempty"` // ids of those that were sent directly, by route
	At        time.Time         `json:"at"`
}

// remind sends a reminder on each of its routes: on the direct ones at once, and
// with the success on those of the notification service.
func remind(c *sdk.Context, in input) (report, error) {
	var cfg config
	if err := c.Config(&cfg); err != nil {
		return report{}, err
	}
	texts, err := template.New(c.Execution, in.Input)
	if err != nil {
		return report{}, err
	}
	if err := texts.FillAll("message", &in.Message); err != nil {
		return report{}, err
	}
	routes := direct(c, cfg, in)
	out := report{ChannelID: in.ChannelID, Via: in.routes()}
	if out.Messages, err = sendAll(c, routes); err != nil {
		return out, err
	}
	rest := slices.DeleteFunc(slices.Clone(in.routes()), func(name string) bool {
		return slices.ContainsFunc(routes, func(r route) bool { return r.name == name })
	})
	if len(rest) > 0 {
		if out.ID, err = c.Notify(sdk.Notification{ChannelID: in.ChannelID, Message: in.Message, Via: rest}); err != nil {
			return out, err
		}
	}
	c.Log.Info("reminded", "channelId", in.ChannelID, "via", out.Via)
	out.At = c.Now()
	return out, nil
}

// progress is the checkpoint: what became of the direct routes, by name.
type progress struct {
	Taken   map[string]string `json:"taken"`             // ids of the messages
	Refused map[string]string `json:"refused,omitempty"` // why no attempt can take them
}

// sendAll takes the direct routes and returns the ids of the messages. Those that
// an earlier attempt has taken, as its checkpoint says, are not taken again, and
// those that were refused for good are not tried again: platforms ban those who go
// on. One that fails does not hold up the other.
func sendAll(c *sdk.Context, routes []route) (map[string]string, error) {
	if len(routes) == 0 {
		return nil, nil
	}
	for _, r := range routes {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	done := progress{Taken: map[string]string{}, Refused: map[string]string{}}
	if _, err := c.LoadCheckpoint(&done); err != nil {
		return nil, err
	}
	var failed []error
	for _, r := range routes {
		if err := done.take(c, r); err != nil {
			failed = append(failed, err)
		}
	}
	return done.Taken, joined(failed)
}

// take takes a route unless an earlier attempt has, and notes what became of it.
func (p *progress) take(c *sdk.Context, r route) error {
	if _, taken := p.Taken[r.name]; taken {
		return nil
	}
	if why, refused := p.Refused[r.name]; refused {
		return sdk.Permanent(errors.New(why))
	}
	id, failure := r.send()
	switch {
	case failure == nil:
		p.Taken[r.name] = id
	case sdk.IsPermanent(failure):
		p.Refused[r.name] = failure.Error()
	default:
		return failure
	}
	if err := c.Checkpoint(p); err != nil {
		c.Log.Warn("another attempt would take this route again", "via", r.name, "error", err)
	}
	return failure
}

// joined makes one error of those of two routes. Another attempt makes sense when
// it does for either: then the other's mark is left out, and its text stays.
func joined(errs []error) error {
	switch {
	case len(errs) == 0:
		return nil
	case len(errs) == 1:
		return errs[0]
	case sdk.IsPermanent(errs[0]) && !sdk.IsPermanent(errs[1]):
		return fmt.Errorf("%w; %s", errs[1], errs[0].Error())
	case sdk.IsPermanent(errs[0]):
		return fmt.Errorf("%w; %w", errs[0], errs[1])
	}
	return fmt.Errorf("%w; %s", errs[0], errs[1].Error())
}
