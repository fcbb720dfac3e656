package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// fakeHost answers operations and records them.
type fakeHost struct {
	plugin    sdk.Plugin
	config    json.RawMessage
	answer    func(sdk.HTTPRequest) (sdk.HTTPResponse, error)
	secrets   []string
	clock     clock
	death     death
	execution sdk.Execution
	prune     func(sdk.Prune) (int, bool, error)

	mu         sync.Mutex
	logs       []wire.LogLine
	sent       []sdk.Notification
	requests   []sdk.HTTPRequest
	progress   []wire.Progress
	checkpoint json.RawMessage

	state  map[string]json.RawMessage
	ttl    map[string]time.Duration // of what was set
	events []wire.Event
	jobs   []wire.Enqueue
}

// Call implements sdk.Caller.
func (h *fakeHost) Call(op string, in []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.death.step() {
		return nil, errDied
	}
	if h.clock.end.Err() != nil {
		return nil, errTimedOut
	}
	value, payload, err := h.respond(op, in)
	if err != nil {
		return wire.Encode(wire.Reply{Error: failureOf(err)}, nil)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return wire.Encode(wire.Reply{Value: raw}, payload)
}

func (h *fakeHost) perform(op string, in []byte) (any, error) {
	if err := h.denied(op); err != nil {
		return nil, err
	}
	switch op {
	case wire.OpLog:
		var line wire.LogLine
		if _, err := wire.Decode(in, &line); err != nil {
			return nil, err
		}
		h.logs = append(h.logs, line)
		return nil, nil
	case wire.OpConfig:
		return h.config, nil
	case wire.OpNotify:
		return h.notify(in)
	case wire.OpStateGet, wire.OpStateSet, wire.OpStateDelete, wire.OpStateList:
		return h.stateful(op, in)
	case wire.OpPublish:
		return h.publish(in)
	case wire.OpEnqueue:
		return h.enqueue(in)
	case wire.OpSecret:
		return h.secret(in)
	case wire.OpClock, wire.OpDeadline, wire.OpSleep, wire.OpRandom:
		return h.clock.answer(op, in, h.execution)
	case wire.OpProgress:
		return h.report(in)
	case wire.OpCheckpoint:
		return h.saveCheckpoint(in)
	case wire.OpPrune:
		return h.pruned(in)
	case wire.OpCheckpointGet:
		return wire.StateValue{Found: h.checkpoint != nil, Value: h.checkpoint}, nil
	}
	return nil, &wire.Error{Kind: wire.Permanent, Message: fmt.Sprintf("unknown operation %q", op)}
}

func (h *fakeHost) notify(in []byte) (any, error) {
	var n sdk.Notification
	if _, err := wire.Decode(in, &n); err != nil {
		return nil, err
	}
	h.sent = append(h.sent, n)
	return wire.NotificationReceipt{ID: fmt.Sprintf("notification-%d", len(h.sent))}, nil
}

func (h *fakeHost) report(in []byte) (any, error) {
	var p wire.Progress
	if _, err := wire.Decode(in, &p); err != nil {
		return nil, err
	}
	h.progress = append(h.progress, p)
	return nil, nil
}

func (h *fakeHost) saveCheckpoint(in []byte) (any, error) {
	var a wire.Checkpoint
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, err
	}
	h.checkpoint = a.Value
	return nil, nil
}

// failureOf renders an error as a host would. Marks of the sdk are read by
// letting the sdk itself render them.
func failureOf(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	fail := sdk.Plugin{Name: "error", Version: "1.0.0", Handle: func(*sdk.Context) (any, error) { return nil, err }}
	request, encodeErr := wire.Encode(wire.Request{ABI: wire.ABI}, nil)
	var response wire.Response
	if _, decodeErr := wire.Decode(sdk.Serve(&fail, request, nil), &response); encodeErr != nil || decodeErr != nil {
		return &wire.Error{Kind: wire.Retryable, Message: err.Error()}
	}
	return response.Error
}
