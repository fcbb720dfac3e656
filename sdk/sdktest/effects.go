package sdktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// capabilities are what the operations need.
var capabilities = map[string]sdk.Capability{
	wire.OpNotify: sdk.CapabilityNotify, wire.OpPublish: sdk.CapabilityPublish, wire.OpEnqueue: sdk.CapabilityEnqueue,
	wire.OpHTTP: sdk.CapabilityHTTP, wire.OpSecret: sdk.CapabilitySecrets,
	wire.OpStateGet: sdk.CapabilityState, wire.OpStateSet: sdk.CapabilityState,
	wire.OpStateDelete: sdk.CapabilityState, wire.OpStateList: sdk.CapabilityState,
	wire.OpPrune: sdk.CapabilityMaintenance,
}

// denied is the refusal of an operation that the plugin has not declared.
func (h *fakeHost) denied(op string) error {
	capability, needed := capabilities[op]
	if !needed || slices.Contains(h.plugin.Capabilities, capability) || slices.Contains(h.plugin.Optional, capability) {
		return nil
	}
	return &wire.Error{Kind: wire.Denied, Message: fmt.Sprintf("operation %q is not granted; add the capability %q to the plugin's Capabilities", op, capability)}
}

// stateful performs the operations on state.
func (h *fakeHost) stateful(op string, in []byte) (any, error) {
	var a struct {
		wire.StateSet
		wire.StateList
	}
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, err
	}
	switch op {
	case wire.OpStateGet:
		value, found := h.state[a.Key]
		return wire.StateValue{Found: found, Value: value}, nil
	case wire.OpStateSet:
		h.state[a.Key], h.ttl[a.Key] = a.Value, time.Duration(a.TTLMS)*time.Millisecond
	case wire.OpStateDelete:
		delete(h.state, a.Key)
		delete(h.ttl, a.Key)
	case wire.OpStateList:
		return h.list(a.StateList), nil
	}
	return nil, nil
}

// maxPage is how many entries the host lists at once.
const maxPage = 100

// list lists a page of the state.
func (h *fakeHost) list(a wire.StateList) wire.StatePage {
	limit := a.Limit
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	page := wire.StatePage{Entries: []wire.StateEntry{}}
	for _, key := range slices.Sorted(maps.Keys(h.state)) {
		if !strings.HasPrefix(key, a.Prefix) || key <= a.After {
			continue
		}
		if page.More = len(page.Entries) == limit; page.More {
			break
		}
		page.Entries = append(page.Entries, wire.StateEntry{Key: key, Value: h.state[key]})
	}
	return page
}

// publish keeps an event.
func (h *fakeHost) publish(in []byte) (any, error) {
	var e wire.Event
	if _, err := wire.Decode(in, &e); err != nil {
		return nil, err
	}
	h.events = append(h.events, e)
	return wire.EventReceipt{ID: fmt.Sprintf("event-%d", len(h.events))}, nil
}

// enqueue keeps a job.
func (h *fakeHost) enqueue(in []byte) (any, error) {
	var j wire.Enqueue
	if _, err := wire.Decode(in, &j); err != nil {
		return nil, err
	}
	h.jobs = append(h.jobs, j)
	return wire.EnqueueReceipt{TaskID: fmt.Sprintf("task-%d", len(h.jobs))}, nil
}

// stateOf renders what a test has kept before the run.
func stateOf(values map[string]any, render func(any) json.RawMessage) map[string]json.RawMessage {
	state := make(map[string]json.RawMessage, len(values))
	for key, v := range values {
		state[key] = render(v)
	}
	return state
}

// pruned lets the case prune.
func (h *fakeHost) pruned(in []byte) (any, error) {
	var a wire.Prune
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, err
	}
	if h.prune == nil {
		return nil, &wire.Error{Kind: wire.Permanent, Message: "sdktest: set Case.Prune to answer what is pruned"}
	}
	removed, more, err := h.prune(sdk.Prune{
		Target: sdk.PruneTarget(a.Target), OlderThan: time.Duration(a.OlderThanMS) * time.Millisecond,
		Type: a.Type, Status: a.Status, Prefix: a.Prefix, Limit: a.Limit,
	})
	return wire.Pruned{Removed: removed, More: more}, err
}
