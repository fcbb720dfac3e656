package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// The bounds of what a run may say about itself.
const (
	maxProgressMessage = 200      // bytes
	maxCheckpoint      = 64 << 10 // bytes
)

// progress hands on how far the run is.
func (c *call) progress(in []byte) error {
	var p wire.Progress
	if err := decodeText(in, &p); err != nil {
		return err
	}
	switch {
	case !(p.Percent >= 0 && p.Percent <= 100):
		return refusal("percent is %v, not between 0 and 100", p.Percent)
	case len(p.Message) > maxProgressMessage:
		return refusal("a message of %d bytes, at most %d are allowed", len(p.Message), maxProgressMessage)
	}
	if c.in.Report != nil {
		c.in.Report(core.Progress{Percent: p.Percent, Message: textWithoutNUL(p.Message), At: core.Instant(c.now())})
	}
	return nil
}

// saveCheckpoint keeps where another attempt may go on. It is stored when the
// plugin gets its answer, whatever becomes of the run.
func (c *call) saveCheckpoint(ctx context.Context, in []byte) error {
	var a wire.Checkpoint
	if _, err := wire.Decode(in, &a); err != nil {
		return malformed(err)
	}
	switch {
	case len(a.Value) == 0:
		return refusal("there is no value; null is one")
	case len(a.Value) > maxCheckpoint:
		return refusal("a value of %d bytes, at most %d are allowed", len(a.Value), maxCheckpoint)
	}
	if err := checkJSON(a.Value); err != nil {
		return refusal("the value is not JSON: %v", err)
	}
	return overtaken(c.checkpoints.SaveCheckpoint(ctx, c.lease(), c.numbered(withoutNUL(a.Value))))
}

// checkpoint answers what this attempt or an earlier one has saved last.
func (c *call) checkpoint(ctx context.Context) (json.RawMessage, error) {
	saved, err := c.checkpoints.Checkpoint(ctx, c.lease())
	if err != nil {
		return nil, overtaken(err)
	}
	value := c.goOn(saved)
	return json.Marshal(wire.StateValue{Found: value != nil, Value: value})
}

// numberedCheckpoint is a checkpoint as it is stored. Its names are unlikely in
// what a plugin has saved, since values were stored as they are once.
type numberedCheckpoint struct {
	Sequence *int            `json:"$sequence"` // effects of the attempts until then
	Value    json.RawMessage `json:"$value"`
}

// numbered puts the number of effects so far beside a value.
func (c *call) numbered(value json.RawMessage) json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Appendf(nil, `{"$sequence":%d,"$value":%s}`, c.sequence, value)
}

// goOn returns the value of a checkpoint and counts effects on from there: what
// the attempt does after it must not have the keys of what was done before it.
func (c *call) goOn(saved json.RawMessage) json.RawMessage {
	var n numberedCheckpoint
	d := json.NewDecoder(bytes.NewReader(saved))
	d.DisallowUnknownFields()
	if d.Decode(&n) != nil || n.Sequence == nil || n.Value == nil {
		return saved // of an earlier version, or none
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sequence = max(c.sequence, *n.Sequence)
	return n.Value
}

func (c *call) lease() core.Lease {
	return core.Lease{ExecutionID: c.in.ExecutionID, Token: c.in.Token}
}

// overtaken ends a run whose execution somebody else has by now.
func overtaken(err error) error {
	if errors.Is(err, core.ErrLeaseLost) {
		return &core.Failure{Code: core.CodeLeaseLost, Class: core.ClassRetryable, Message: "the execution was taken over while this attempt ran"}
	}
	return err
}

// decodeText reads arguments whose text is for people. encoding/json would
// silently replace what is no UTF-8.
func decodeText(in []byte, v any) error {
	header, _, err := wire.Split(in)
	if err == nil && !utf8.Valid(header) {
		return refusal("the text is not UTF-8")
	}
	if _, err := wire.Decode(in, v); err != nil {
		return malformed(err)
	}
	return nil
}
