package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// errRunOver ends a program that calls an operation after its run was given up.
var errRunOver = errors.New("the run is over")

// call is the host's side of one run: every operation the plugin calls passes
// here, so grants, budgets, logs and idempotency have one place.
type call struct {
	in          core.Invocation
	grants      Grants
	config      json.RawMessage
	state       core.StateStore
	checkpoints core.CheckpointStore
	pruner      core.Pruner
	drafter     Drafter
	limits      Limits
	now         func() time.Time
	logger      hclog.Logger
	logs        *logbook
	web         *web
	observer    Observer
	computed    atomic.Int64 // nanoseconds of processor time

	budget atomic.Int64 // operations left
	limit  int

	mu       sync.Mutex
	over     bool
	sequence int           // effects asked for so far, with those before the checkpoint that was loaded
	denied   *core.Failure // the first refusal
	effects  effects
}

// Call implements Caller.
func (c *call) Call(ctx context.Context, op string, in []byte) ([]byte, error) {
	if c.isOver() || ctx.Err() != nil {
		return nil, errRunOver
	}
	if op != wire.OpLog && c.budget.Add(-1) < 0 {
		return nil, &core.Failure{
			Code: core.CodePluginCallLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("more than %d operations (limit hostCalls)", c.limit),
		}
	}
	start := c.now()
	value, payload, err := c.answer(ctx, op, in)
	c.observer.ObserveCall(c.in.Type, known(op), outcomeOf(err), c.now().Sub(start))
	reply := wire.Reply{Value: value}
	switch {
	case endsRun(err):
		return nil, err
	case err != nil:
		reply = wire.Reply{Error: c.shown(op, err)}
	}
	return wire.Encode(reply, payload)
}

// perform checks the grant and runs the operation.
func (c *call) perform(ctx context.Context, op string, in []byte) (json.RawMessage, error) {
	if capability, ok := capabilityOf(op); ok && !c.grants.allows(capability) {
		return nil, c.deny(op, capability)
	}
	if !c.offers(op) {
		return nil, refusal("this host does not offer the operation %q", op)
	}
	switch op {
	case wire.OpLog:
		return nil, c.log(in)
	case wire.OpConfig:
		return c.config, nil
	case wire.OpNotify:
		return c.notify(in)
	case wire.OpStateGet:
		return c.kvGet(ctx, in)
	case wire.OpStateSet, wire.OpStateDelete:
		return c.kvSet(ctx, in, op == wire.OpStateDelete)
	case wire.OpStateList:
		return c.kvList(ctx, in)
	case wire.OpPublish:
		return c.publish(in)
	case wire.OpEnqueue:
		return c.enqueue(ctx, in)
	case wire.OpClock:
		return json.Marshal(wire.Clock{Now: c.now().UTC()})
	case wire.OpDeadline:
		return c.deadline(ctx)
	case wire.OpRandom:
		return random(in)
	case wire.OpSleep:
		return nil, sleep(ctx, in)
	case wire.OpSecret:
		return c.secret(in)
	case wire.OpProgress:
		return nil, c.progress(in)
	case wire.OpCheckpoint:
		return nil, c.saveCheckpoint(ctx, in)
	case wire.OpCheckpointGet:
		return c.checkpoint(ctx)
	case wire.OpPrune:
		return c.prune(ctx, in)
	}
	return nil, &wire.Error{Kind: wire.Permanent, Message: fmt.Sprintf("unknown operation %.64q", op)}
}

// offers tells whether the host has what an operation needs.
func (c *call) offers(op string) bool {
	switch {
	case strings.HasPrefix(op, capabilityKV+"."):
		return c.state != nil
	case op == wire.OpEnqueue:
		return c.drafter != nil
	case op == wire.OpPrune:
		return c.pruner != nil
	case op == wire.OpCheckpoint, op == wire.OpCheckpointGet:
		return c.checkpoints != nil
	}
	return true
}

// log keeps a line, if there is room. Lines cost no operation and have limits of
// their own. Those that are dropped must cost the host nothing: they are not even
// decoded.
func (c *call) log(in []byte) error {
	if read, err := c.logs.admit(len(in)); err != nil || !read {
		return err
	}
	var line wire.LogLine
	if _, err := wire.Decode(in, &line); err != nil {
		return malformed(err)
	}
	if deeper(line.Fields, maxDepth) {
		return refusal("fields are nested deeper than %d levels", maxDepth)
	}
	c.logs.line(line, sizeOf(line.Fields))
	return nil
}

// nextKey counts effects, not operations: a log line or a read more in a later
// attempt does not shift the keys. An attempt that loads a checkpoint counts on
// from it.
func (c *call) nextKey() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sequence++
	return c.in.ExecutionID + ":" + strconv.Itoa(c.sequence)
}

// deny refuses an operation whose capability is not granted.
func (c *call) deny(op, capability string) error {
	return c.refuse(fmt.Sprintf("operation %.64q is not granted; declare %q in the plugin's manifest, among its capabilities, and let the operator add it to the plugin's grants in plugins.yaml", op, capability))
}

// refuse remembers the first refusal: it decides how the run ends, whatever the
// handler makes of it.
func (c *call) refuse(message string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied == nil {
		c.denied = &core.Failure{Code: core.CodePluginDenied, Class: core.ClassDenied, Message: message}
	}
	return &wire.Error{Kind: wire.Denied, Message: message}
}

// shown renders an operation's error for the plugin. The text of an error that
// was not made for plugins may tell about the inside of the host, so it goes to
// the log only.
func (c *call) shown(op string, err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	c.logger.Warn("operation failed", "operation", op, "error", err)
	return &wire.Error{Kind: wire.Retryable, Message: "the host could not do it; its log says why"}
}

// Output implements Caller.
func (c *call) Output(stream Stream, p []byte) {
	if !c.isOver() {
		c.logs.write(stream, p)
	}
}

// Computed implements Caller.
func (c *call) Computed(d time.Duration) { c.computed.Store(int64(d)) }

// finish closes the call: a program that was given up on does nothing more. It
// returns the refusal, if there was one.
func (c *call) finish() *core.Failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return c.denied
}

func (c *call) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func malformed(err error) error {
	return &wire.Error{Kind: wire.Permanent, Message: "arguments: " + err.Error()}
}

var _ Caller = (*call)(nil)
