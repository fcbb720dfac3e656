package hosttest

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"github.com/nexuscore/scheduler/core"
)

// checkpoints is a core.CheckpointStore in which every lease is held that is not
// older than another one of the execution.
type checkpoints struct {
	mu     sync.Mutex
	tokens map[string]int64
	values map[string]json.RawMessage
}

func newCheckpoints() *checkpoints {
	return &checkpoints{tokens: map[string]int64{}, values: map[string]json.RawMessage{}}
}

// hold demands that the lease is the newest one. The caller has the mutex.
func (c *checkpoints) hold(l core.Lease) error {
	if l.Token < c.tokens[l.ExecutionID] {
		return core.ErrLeaseLost
	}
	c.tokens[l.ExecutionID] = l.Token
	return nil
}

// SaveCheckpoint implements core.CheckpointStore.
func (c *checkpoints) SaveCheckpoint(_ context.Context, l core.Lease, value json.RawMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.hold(l); err != nil {
		return err
	}
	c.values[l.ExecutionID] = bytes.Clone(value)
	return nil
}

// Checkpoint implements core.CheckpointStore.
func (c *checkpoints) Checkpoint(_ context.Context, l core.Lease) (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values[l.ExecutionID], c.hold(l)
}

// saved is what a plugin saved, without what the host keeps beside it; "" for
// nothing.
func (c *checkpoints) saved(executionID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	value := c.values[executionID]
	var stored map[string]json.RawMessage
	if json.Unmarshal(value, &stored) == nil && stored["$value"] != nil {
		value = stored["$value"]
	}
	return string(value)
}
