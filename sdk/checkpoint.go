package sdk

import (
	"encoding/json"
	"fmt"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Progress says how far the handler is: 0 to 100 percent, and a message for
// people of at most 200 bytes. Whoever looks at the execution sees the last one,
// up to a second later, until the execution ends. Call it as often as there is
// something to say.
func (c *Context) Progress(percent float64, message string) error {
	if _, err := c.Call(wire.OpProgress, wire.Progress{Percent: percent, Message: message}); err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	return nil
}

// Checkpoint keeps v, rendered as JSON of at most 64 KiB, for the next attempt of
// the same execution, in place of what was kept before. It is stored when
// Checkpoint returns, whatever becomes of the run, and removed when the execution
// ends. It needs no capability.
//
// Save it after the work that it tells of: an attempt that is cut off between the
// two does that work again.
func (c *Context) Checkpoint(v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return Permanent(fmt.Errorf("checkpoint: %w", err))
	}
	if _, err := c.Call(wire.OpCheckpoint, wire.Checkpoint{Value: value}); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// LoadCheckpoint reads the last checkpoint of this execution into v, a pointer,
// and reports whether there is one: in a first attempt there is none.
func (c *Context) LoadCheckpoint(v any) (found bool, err error) {
	raw, err := c.Call(wire.OpCheckpointGet, struct{}{})
	if err != nil {
		return false, fmt.Errorf("load checkpoint: %w", err)
	}
	var value wire.StateValue
	if err := json.Unmarshal(raw, &value); err != nil {
		return false, fmt.Errorf("load checkpoint: read the host's answer: %w", err)
	}
	if !value.Found {
		return false, nil
	}
	if err := json.Unmarshal(value.Value, v); err != nil {
		return false, Permanent(fmt.Errorf("load checkpoint: %w", err))
	}
	return true, nil
}
