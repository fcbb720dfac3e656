package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestAVersionThatDoesNotSurviveItsSampleIsNotLoaded(t *testing.T) {
	hang := func(ctx context.Context, _ []byte, _ host.Caller) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	greedy := func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		for {
			if _, err := caller.Call(ctx, wire.OpClock, nil); err != nil {
				return nil, err
			}
		}
	}
	failed, err := wire.Encode(wire.Response{Error: &wire.Error{Kind: wire.Permanent, Message: "the channel does not exist"}}, nil)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		handle handler
		sample string
		want   string // "" is loaded
	}{
		"it answers":            {nil, `{"n":1}`, ""},
		"it answers an error":   {answer(failed, nil), `{"n":1}`, ""},
		"no sample":             {answer(nil, failing(core.CodePluginTrap)), ``, ""},
		"null is no sample":     {answer(nil, failing(core.CodePluginTrap)), `null`, ""},
		"a trap":                {answer(nil, failing(core.CodePluginTrap)), `{"n":1}`, "does not survive its own sample: PLUGIN_TRAP: it broke"},
		"the memory limit":      {answer(nil, failing(core.CodePluginMemoryLimit)), `{"n":1}`, "PLUGIN_MEMORY_LIMIT"},
		"too many operations":   {greedy, `{"n":1}`, "PLUGIN_CALL_LIMIT: more operations than limits.hostCalls"},
		"no answer in time":     {hang, `{"n":1}`, "did not answer its own sample within 50ms"},
		"no frame":              {answer([]byte("x"), nil), `{"n":1}`, "answer to its own sample cannot be read"},
		"the host's own error":  {answer(nil, errors.New("no more memory")), `{"n":1}`, "run the sample: no more memory"},
		"not what its data are": {nil, `{"n":"one"}`, "the plugin's sample does not satisfy its own data schema: VALIDATION_FAILED: /data/n"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.runtime.program("good")
			h.list(t)
			h.load(t)

			next := h.runtime.program("next")
			next.manifest.Sample = json.RawMessage(test.sample)
			next.manifest.DataSchema = json.RawMessage(`{"properties":{"n":{"type":"integer"}}}`)
			if test.handle != nil {
				next.handle = test.handle
			}
			if name == "no answer in time" { // all others have time
				h.list(t, "limits: {timeout: 50ms}")
			} else {
				h.list(t, "limits: {hostCalls: 20}")
			}
			h.file(t, "good", "next")
			err := h.Reload(t.Context())
			if test.want == "" {
				require.NoError(t, err)
				require.Equal(t, "next", h.status(t, "x").Name)
				require.Zero(t, h.status(t, "x").Calls.Total, "it is no execution")
				return
			}
			require.ErrorContains(t, err, test.want)
			require.Contains(t, h.status(t, "x").Problem, test.want)
			require.Equal(t, "good", h.status(t, "x").Name, "what works goes on")
		})
	}
}

// A sample's operations reach nothing, and answer so that a handler gets through.
func TestASampleHasNoEffect(t *testing.T) {
	h := newHouse(t) // without state, checkpoints or tasks
	answers := map[string]string{}
	var refused error
	program := h.runtime.program("good")
	program.manifest.Sample = json.RawMessage(`{"a":1}`)
	program.manifest.ConfigSchema = json.RawMessage(`{}`)
	program.handle = func(ctx context.Context, request []byte, caller host.Caller) ([]byte, error) {
		var r wire.Request
		data, err := wire.Decode(request, &r)
		if err != nil || string(data) != `{"a":1}` || r.Execution.Type != "x" || r.Execution.Deadline.IsZero() {
			return nil, fmt.Errorf("%s, %v: %w", data, r, err)
		}
		for _, op := range []string{wire.OpLog, wire.OpConfig, wire.OpNotify, wire.OpStateGet, wire.OpStateSet, wire.OpStateDelete, wire.OpStateList,
			wire.OpPublish, wire.OpEnqueue, wire.OpClock, wire.OpDeadline, wire.OpSleep, wire.OpHTTP, wire.OpSecret,
			wire.OpProgress, wire.OpCheckpoint, wire.OpCheckpointGet, "teleport"} {
			in, err := wire.Encode(map[string]any{"ms": 3_600_000}, nil)
			if err != nil {
				return nil, err
			}
			out, err := caller.Call(ctx, op, in)
			if err != nil {
				return nil, err
			}
			var reply wire.Reply
			if _, err := wire.Decode(out, &reply); err != nil {
				return nil, err
			}
			if reply.Error != nil {
				refused = reply.Error
				continue
			}
			answers[op] = string(reply.Value)
		}
		return wire.Encode(wire.Response{}, nil)
	}
	h.list(t, "config: {key: value}")
	h.load(t)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State, h.status(t, "x").Error)
	require.ErrorContains(t, refused, "teleport")
	require.Len(t, answers, 17)
	require.JSONEq(t, `{"key":"value"}`, answers[wire.OpConfig])
	require.JSONEq(t, `{"found":false}`, answers[wire.OpStateGet])
	require.JSONEq(t, `{"found":false}`, answers[wire.OpCheckpointGet])
	require.JSONEq(t, `{"entries":[],"more":false}`, answers[wire.OpStateList])
	require.JSONEq(t, `{"status":200,"url":"","headers":{}}`, answers[wire.OpHTTP])
}

func TestAVersionThatNeedsHigherLimitsIsHeldBack(t *testing.T) {
	asked := &wire.Limits{
		Memory: 128 << 20, TimeoutMS: 600_000, CPUMS: 20_000, Output: 2 << 20, State: 2 << 20, HostCalls: 2000,
		HTTPRequests: 200, HTTPRequestBytes: 2 << 20, HTTPResponseBytes: 8 << 20, HTTPBytes: 64 << 20,
	}
	const enough = "limits: {memory: 128MiB, timeout: 10m, cpu: 20s, output: 2MiB, kv: 2MiB, hostCalls: 2000, httpRequests: 200, httpRequestBytes: 2MiB, httpResponseBytes: 8MiB, httpBytes: 64MiB}"
	h := newHouse(t)
	h.list(t, "limits: {cpu: 1s}")
	h.deploy(t, "v1")
	h.load(t)
	h.deploy(t, "v2")
	h.runtime.program("v2").manifest.Limits = asked
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v1@1.0.0", h.version(t))
	reason := h.status(t, "x").Held.Reason
	for _, need := range []string{
		"v2@1.0.0 needs limits.memory of 128MiB, and has 64MiB", "limits.timeout of 10m0s, and has 5m0s", "limits.cpu of 20s, and has 1s", "limits.output of 2MiB, and has 1MiB",
		"limits.kv of 2MiB, and has 1MiB", "limits.hostCalls of 2000, and has 1000", "limits.httpRequests of 200, and has 100",
		"limits.httpRequestBytes of 2MiB, and has 1MiB", "limits.httpResponseBytes of 8MiB, and has 4MiB", "limits.httpBytes of 64MiB, and has 32MiB", "raise that in the plugin's entry",
	} {
		require.Contains(t, reason, need)
	}
	h.list(t, enough)
	h.file(t, "good", "v2")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v2@1.0.0", h.version(t))

	fresh := newHouse(t)
	fresh.list(t)
	fresh.deploy(t, "v3")
	fresh.runtime.program("v3").manifest.Limits = &wire.Limits{Memory: 65 << 20, CPUMS: 1 << 60, TimeoutMS: 1 << 60}
	fresh.load(t)
	require.Contains(t, fresh.status(t, "x").Error, "limits.memory of 65MiB, and has 64MiB")
	require.Contains(t, fresh.status(t, "x").Error, "and has 10s", "the default counts")
}
