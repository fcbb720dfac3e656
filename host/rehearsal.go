package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// rehearsalTime bounds the run that a plugin is tested with.
const rehearsalTime = 10 * time.Second

// rehearse runs a plugin once on the sample of its manifest, with a stand-in for
// the host, so that a version which breaks down in every run is seen before it
// replaces one that works. It has to answer; that the answer is an error is no
// fault, since nothing that it reached was real. A plugin without a sample is
// taken as it is.
func (s *slot) rehearse(ctx context.Context, now time.Time) error {
	if s.manifest.sample == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(s.entry.limits.Timeout, rehearsalTime))
	defer cancel()
	deadline, _ := ctx.Deadline()
	request, err := encodeRequest(ctx, core.Invocation{
		ExecutionID: "sample", TaskID: "sample", TaskName: "sample", Type: s.entry.taskType, Trigger: core.TriggerManual,
		Attempt: 1, MaxAttempts: 1, NominalTime: now, Deadline: deadline, Data: s.manifest.sample,
	})
	if err != nil {
		return fmt.Errorf("run the sample: %w", err)
	}
	r := &rehearsal{config: s.entry.config, now: now, deadline: deadline}
	r.left.Store(int64(s.entry.limits.HostCalls))
	frame, err := s.plugin.Handle(ctx, request, r)
	switch f, ok := errors.AsType[*core.Failure](err); {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("the plugin did not answer its own sample within %v; correct it, or raise limits.timeout if that is shorter", min(s.entry.limits.Timeout, rehearsalTime))
	case ok:
		const what = "the plugin does not survive its own sample: "
		return &sampleError{
			long:  fmt.Sprintf(what+"%s: %s; correct it", f.Code, clip(f.Message, maxReason)),
			short: fmt.Sprintf(what+"%s; GET /plugins says more", f.Code),
		}
	case err != nil:
		return fmt.Errorf("run the sample: %w", err)
	}
	if _, _, err := readResponse(frame); err != nil {
		return fmt.Errorf("the plugin's answer to its own sample cannot be read: %w", err)
	}
	return nil
}

// sampleError says how a plugin ended that did not survive its sample: with its own
// words, and without.
type sampleError struct{ long, short string }

// Error returns the text with the plugin's own words.
func (e *sampleError) Error() string { return e.long }

// rehearsal stands in for the host while a plugin is tested. Nothing leaves it.
// It is safe for concurrent use.
type rehearsal struct {
	config   json.RawMessage
	now      time.Time
	deadline time.Time
	left     atomic.Int64 // operations
}

// Call implements Caller. Each operation answers what it answers at the least:
// there is no state, everything was sent, and every request got an empty object.
func (r *rehearsal) Call(ctx context.Context, op string, in []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, errRunOver
	}
	if op != wire.OpLog && r.left.Add(-1) < 0 {
		return nil, &core.Failure{Code: core.CodePluginCallLimit, Class: core.ClassRetryable, Message: "more operations than limits.hostCalls"}
	}
	var payload []byte
	if op == wire.OpHTTP {
		payload = []byte("{}")
	}
	answer, err := r.answer(op, in)
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return wire.Encode(wire.Reply{Error: e}, nil)
	}
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return wire.Encode(wire.Reply{Value: value}, payload)
}

func (r *rehearsal) answer(op string, in []byte) (any, error) {
	switch op {
	case wire.OpLog, wire.OpStateSet, wire.OpStateDelete, wire.OpSleep, wire.OpProgress, wire.OpCheckpoint:
		return nil, nil
	case wire.OpConfig:
		return r.config, nil
	case wire.OpNotify:
		return wire.NotificationReceipt{ID: "sample"}, nil
	case wire.OpStateGet, wire.OpCheckpointGet:
		return wire.StateValue{}, nil
	case wire.OpStateList:
		return wire.StatePage{Entries: []wire.StateEntry{}}, nil
	case wire.OpPublish:
		return wire.EventReceipt{ID: "sample"}, nil
	case wire.OpEnqueue:
		return wire.EnqueueReceipt{TaskID: "sample"}, nil
	case wire.OpClock:
		return wire.Clock{Now: r.now.UTC()}, nil
	case wire.OpDeadline:
		return wire.Deadline{At: r.deadline.UTC(), LeftMS: rehearsalTime.Milliseconds()}, nil
	case wire.OpRandom:
		return random(in)
	case wire.OpHTTP:
		return wire.HTTPResponse{Status: 200, Headers: map[string][]string{}}, nil
	case wire.OpSecret:
		return "{{secret:sample}}", nil
	}
	return nil, &wire.Error{Kind: wire.Permanent, Message: fmt.Sprintf("unknown operation %.64q", op)}
}

// Output implements Caller.
func (*rehearsal) Output(Stream, []byte) {}

// Computed implements Caller.
func (*rehearsal) Computed(time.Duration) {}

var _ Caller = (*rehearsal)(nil)
