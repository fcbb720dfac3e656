// Command effect is a plugin whose one effect is seen outside at once: a request
// that names the attempt and its fencing token. Its data says when the effect
// comes and how the run ends, so that a test can break a node at that moment.
package main

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// order is a task's data. The first two pauses hold only for the first attempt:
// what takes over should be quick.
type order struct {
	Begin    bool `json:"begin"`    // tell the outside before the first pause
	BeforeMs int  `json:"beforeMs"` // pause before the effect
	AfterMs  int  `json:"afterMs"`  // pause after it
	LaterMs  int  `json:"laterMs"`  // pause after the effect of a later attempt
	Failures int  `json:"failures"` // so many attempts fail after their effect
}

// config says where the outside is.
type config struct {
	Outside string `json:"outside"`
}

// mark is what the outside gets to know.
type mark struct {
	Mark    string `json:"mark"` // begin or effect
	Attempt int    `json:"attempt"`
	Token   int64  `json:"token"`
}

func init() {
	sdk.Register(sdk.Plugin{
		Name: "effect", Version: "1.0.0", Summary: "Has one effect.",
		ConfigSchema: `{"type": "object", "required": ["outside"]}`,
		Capabilities: []sdk.Capability{sdk.CapabilityHTTP}, Handle: handle,
	})
}

func main() { sdk.Main() }

func handle(c *sdk.Context) (any, error) {
	var o order
	if err := c.Bind(&o); err != nil {
		return nil, err
	}
	if o.Begin {
		if err := tell(c, "begin"); err != nil {
			return nil, err
		}
	}
	first := c.Execution.Attempt == 1
	if first {
		pause(o.BeforeMs)
	}
	if err := tell(c, "effect"); err != nil {
		return nil, err
	}
	if first {
		pause(o.AfterMs)
	} else {
		pause(o.LaterMs)
	}
	if c.Execution.Attempt <= o.Failures {
		return nil, errors.New("told to fail")
	}
	return c.Execution.Attempt, nil
}

func pause(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond) }

func tell(c *sdk.Context, what string) error {
	text, err := json.Marshal(mark{Mark: what, Attempt: c.Execution.Attempt, Token: c.Execution.Token})
	if err != nil {
		return err
	}
	var cfg config
	if err := c.Config(&cfg); err != nil {
		return err
	}
	return c.PostJSON(cfg.Outside+"/notifications", nil, map[string]string{"executionId": c.Execution.ID, "message": string(text)}, nil)
}
