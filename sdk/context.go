package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Execution says which attempt of which execution a run is: its id, task, task
// type, trigger, attempt (from 1), the attempts allowed in all, nominal time,
// deadline, fencing token and idempotency key.
type Execution = wire.Execution

// Context is what a handler knows and can do. It is a context.Context: its
// deadline is the run's, so it can be handed to whatever takes one. It may be
// used from several goroutines, and not after the handler returned.
type Context struct {
	// Context ends at the deadline, and in a process also when the run is
	// cancelled. It is a field against the usual rule because
	// a Context lives exactly as long as the one call it was made for.
	context.Context

	// Execution says what is run.
	Execution Execution

	// Log writes to the execution's log.
	Log Logger

	data   json.RawMessage
	caller Caller
}

// Data returns the task's data, JSON as it was written. The caller must not
// change it.
func (c *Context) Data() json.RawMessage { return c.data }

// Bind reads the task's data into v, a pointer. It is strict: a member that v
// does not know, or anything after the JSON value, is an error. The error is
// permanent, since the same data will not fit the next time either.
func (c *Context) Bind(v any) error {
	if err := decodeStrict(c.data, v); err != nil {
		return Permanent(fmt.Errorf("task data: %w", err))
	}
	return nil
}

// Config reads the plugin's config, as its operator wrote it in plugins.yaml,
// into v, a pointer. Without config, v is left as it is. It is strict as Bind
// is, and its error is permanent.
func (c *Context) Config(v any) error {
	value, err := c.Call(wire.OpConfig, struct{}{})
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if len(value) == 0 || string(value) == "null" {
		return nil
	}
	if err := decodeStrict(value, v); err != nil {
		return Permanent(fmt.Errorf("config: %w", err))
	}
	return nil
}

// Call asks the host for an operation by its name and returns the answer, JSON.
// It is for operations that this sdk has no method for; args is rendered as a
// JSON object. A host that does not know the operation answers with a permanent
// error.
func (c *Context) Call(op string, args any) (json.RawMessage, error) {
	value, _, err := c.exchange(op, args, nil)
	return value, err
}

// exchange is Call with payloads.
func (c *Context) exchange(op string, args any, payload []byte) (json.RawMessage, []byte, error) {
	in, err := wire.Encode(args, payload)
	if err != nil {
		return nil, nil, Permanent(err)
	}
	out, err := c.caller.Call(op, in)
	if err != nil {
		return nil, nil, err
	}
	var reply wire.Reply
	content, err := wire.Decode(out, &reply)
	if err != nil {
		return nil, nil, err
	}
	if reply.Error != nil {
		return nil, nil, fromWire(reply.Error)
	}
	return reply.Value, content, nil
}

func decodeStrict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("there is none")
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
