package sdk

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Get reads what an earlier run of the plugin, or this one, has kept under a key
// into v, a pointer, and reports whether there is anything. It needs
// CapabilityState.
func (c *Context) Get(key string, v any) (found bool, err error) {
	raw, err := c.Call(wire.OpStateGet, wire.StateKey{Key: key})
	if err != nil {
		return false, fmt.Errorf("get %s: %w", key, err)
	}
	var value wire.StateValue
	if err := json.Unmarshal(raw, &value); err != nil || !value.Found {
		return false, err
	}
	if err := json.Unmarshal(value.Value, v); err != nil {
		return false, Permanent(fmt.Errorf("get %s: %w", key, err))
	}
	return true, nil
}

// Set keeps v, rendered as JSON of at most 64 KiB, under a key of at most 256
// bytes: for ttl, or until it is deleted when that is 0. All executions of the
// task type share the keys. It needs CapabilityState.
//
// What is set is stored when the handler succeeds, together with its result, and
// forgotten when it fails. Get sees it at once.
func (c *Context) Set(key string, v any, ttl time.Duration) error {
	value, err := json.Marshal(v)
	if err != nil {
		return Permanent(fmt.Errorf("set %s: %w", key, err))
	}
	if _, err := c.Call(wire.OpStateSet, wire.StateSet{Key: key, Value: value, TTLMS: ttl.Milliseconds()}); err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	return nil
}

// Delete removes a key, as Set sets one. A key that is not there is no error.
func (c *Context) Delete(key string) error {
	if _, err := c.Call(wire.OpStateDelete, wire.StateKey{Key: key}); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// Keys lists the keys that begin with a prefix, in order. It needs
// CapabilityState.
func (c *Context) Keys(prefix string) ([]string, error) {
	var keys []string
	for after := ""; ; {
		raw, err := c.Call(wire.OpStateList, wire.StateList{Prefix: prefix, After: after})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		var page wire.StatePage
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("list %s: read the host's answer: %w", prefix, err)
		}
		for _, e := range page.Entries {
			keys = append(keys, e.Key)
		}
		if !page.More || len(page.Entries) == 0 {
			return keys, nil
		}
		after = page.Entries[len(page.Entries)-1].Key
	}
}

// Publish tells whoever listens to the scheduler's events that something has
// happened: a type such as stream.started, and data that JSON can carry. It
// needs CapabilityPublish and a grant that the type matches.
//
// The event is published when the handler succeeds, under an id that is the same
// in a later attempt.
func (c *Context) Publish(eventType string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return Permanent(fmt.Errorf("publish %s: %w", eventType, err))
	}
	if _, err := c.Call(wire.OpPublish, wire.Event{Type: eventType, Data: raw}); err != nil {
		return fmt.Errorf("publish %s: %w", eventType, err)
	}
	return nil
}

// Job is a task that runs once: its type, data, and when (zero is at once). A
// job without a name is called after the task that enqueues it.
type Job struct {
	Type  string
	Name  string
	Data  any
	RunAt time.Time
}

// Enqueue makes a task when the handler succeeds, and returns its id. It needs
// CapabilityEnqueue and a grant of the type. The data is checked against the
// type's schema at once.
func (c *Context) Enqueue(j Job) (taskID string, err error) {
	args := wire.Enqueue{Type: j.Type, Name: j.Name}
	if j.Data != nil {
		if args.Data, err = json.Marshal(j.Data); err != nil {
			return "", Permanent(fmt.Errorf("enqueue %s: %w", j.Type, err))
		}
	}
	if !j.RunAt.IsZero() {
		args.RunAt = &j.RunAt
	}
	raw, err := c.Call(wire.OpEnqueue, args)
	if err != nil {
		return "", fmt.Errorf("enqueue %s: %w", j.Type, err)
	}
	var receipt wire.EnqueueReceipt
	if err := json.Unmarshal(raw, &receipt); err != nil {
		return "", fmt.Errorf("enqueue %s: read the host's answer: %w", j.Type, err)
	}
	return receipt.TaskID, nil
}
