package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func with(handle sdk.Handler, capabilities ...sdk.Capability) sdk.Plugin {
	return sdk.Plugin{Name: "test", Version: "1.0.0", Capabilities: capabilities, Handle: handle}
}

func TestErrorsSayWhatTheyMeanForTheNextAttempt(t *testing.T) {
	cause := errors.New("cause")
	type test struct {
		err  error
		want wire.Error
	}
	tests := map[string]test{
		"plain":                {cause, wire.Error{Kind: wire.Retryable, Message: "cause"}},
		"permanent":            {sdk.Permanent(cause), wire.Error{Kind: wire.Permanent, Message: "cause"}},
		"wrapped permanent":    {fmt.Errorf("op: %w", sdk.Permanent(cause)), wire.Error{Kind: wire.Permanent, Message: "op: cause"}},
		"retry after":          {sdk.RetryAfter(1500*time.Millisecond, cause), wire.Error{Kind: wire.Retryable, Message: "cause", RetryAfterMS: 1500}},
		"retry after negative": {sdk.RetryAfter(-time.Second, cause), wire.Error{Kind: wire.Retryable, Message: "cause"}},
		"outermost mark wins":  {sdk.Permanent(sdk.RetryAfter(time.Second, cause)), wire.Error{Kind: wire.Permanent, Message: "cause"}},
	}
	refusal := fmt.Errorf("look: %w", &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES})
	tests["refused by the sandbox"] = test{refusal, wire.Error{Kind: wire.Denied, Message: "the sandbox does not allow it: " + refusal.Error()}}
	tests["refused and marked"] = test{sdk.RetryAfter(0, refusal), wire.Error{Kind: wire.Retryable, Message: refusal.Error()}}
	tests["another of the system's"] = test{syscall.EIO, wire.Error{Kind: wire.Retryable, Message: syscall.EIO.Error()}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := sdktest.Run(t, with(func(*sdk.Context) (any, error) { return nil, test.err }), sdktest.Case{})
			require.Equal(t, &test.want, result.Failure)
		})
	}
}

func TestMarksKeepTheChain(t *testing.T) {
	cause := errors.New("cause")
	require.ErrorIs(t, sdk.Permanent(sdk.RetryAfter(time.Second, cause)), cause)
}

func TestMarkingNilIsNil(t *testing.T) {
	require.NoError(t, sdk.Permanent(nil))
	require.NoError(t, sdk.RetryAfter(time.Second, nil))
	require.False(t, sdk.IsPermanent(errors.New("plain")))
	require.True(t, sdk.IsPermanent(fmt.Errorf("op: %w", sdk.Permanent(errors.New("x")))))
}

func TestBindIsStrict(t *testing.T) {
	tests := map[string]struct{ data, problem string }{
		"unknown member": {`{"a": 1, "b": 2}`, "unknown field"},
		"wrong type":     {`{"a": "x"}`, "cannot unmarshal"},
		"two values":     {`{"a": 1} {}`, "more than one"},
		"nothing":        {``, "there is none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := with(func(c *sdk.Context) (any, error) {
				var in struct {
					A int `json:"a"`
				}
				return nil, c.Bind(&in)
			})
			failure := sdktest.Run(t, p, sdktest.Case{Data: json.RawMessage(test.data)}).RequireFailure(t, wire.Permanent)
			require.Contains(t, failure.Message, "task data: ")
			require.Contains(t, failure.Message, test.problem)
		})
	}
}

func TestContextHasTheRunsDeadline(t *testing.T) {
	deadline := time.Now().Add(time.Hour).UTC()
	p := with(func(c *sdk.Context) (any, error) {
		got, ok := c.Deadline()
		return []any{got, ok, c.Err() == nil}, nil
	})
	result := sdktest.Run(t, p, sdktest.Case{Execution: sdk.Execution{Deadline: deadline}})
	want, err := json.Marshal([]any{deadline, true, true})
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(result.Value))

	late := with(func(c *sdk.Context) (any, error) { <-c.Done(); return nil, c.Err() })
	result = sdktest.Run(t, late, sdktest.Case{Execution: sdk.Execution{Deadline: time.Now().Add(-time.Second)}})
	require.Equal(t, context.DeadlineExceeded.Error(), result.RequireFailure(t, wire.Retryable).Message)
}

func TestExecutionIsHandedOn(t *testing.T) {
	want := sdk.Execution{
		ID: "e", TaskID: "t", TaskName: "n", Type: "y", Trigger: "retry", Attempt: 2, MaxAttempts: 5, Token: 9,
		IdempotencyKey: "k", NominalTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	var got sdk.Execution
	p := with(func(c *sdk.Context) (any, error) { got = c.Execution; return nil, nil })
	sdktest.Run(t, p, sdktest.Case{Execution: want}).RequireOK(t)
	require.Equal(t, want, got)
}

func TestLogKeepsLevelsAndFields(t *testing.T) {
	p := with(func(c *sdk.Context) (any, error) {
		c.Log.Debug("d")
		c.Log.Info("i", "n", 1, "err", errors.New("cause"))
		c.Log.Warn("w", "odd")
		c.Log.Error("e", "bad", math.NaN())
		return nil, nil
	})
	result := sdktest.Run(t, p, sdktest.Case{})
	result.RequireOK(t)
	require.Equal(t, []wire.LogLine{
		{Level: "debug", Message: "d"},
		{Level: "info", Message: "i", Fields: map[string]any{"n": 1.0, "err": "cause"}},
		{Level: "warn", Message: "w", Fields: map[string]any{"extra": "odd"}},
		{Level: "error", Message: "e", Fields: map[string]any{"fields": "bad NaN"}},
	}, result.Logs)
}

func TestConfig(t *testing.T) {
	read := with(func(c *sdk.Context) (any, error) {
		config := struct {
			Greeting string `json:"greeting"`
		}{Greeting: "default"}
		err := c.Config(&config)
		return config.Greeting, err
	})
	require.JSONEq(t, `"hello"`, string(sdktest.Run(t, read, sdktest.Case{Config: map[string]string{"greeting": "hello"}}).Value))
	require.JSONEq(t, `"default"`, string(sdktest.Run(t, read, sdktest.Case{}).Value))
	require.JSONEq(t, `"default"`, string(sdktest.Run(t, read, sdktest.Case{Config: json.RawMessage("null")}).Value))
	sdktest.Run(t, read, sdktest.Case{Config: map[string]int{"other": 1}}).RequireFailure(t, wire.Permanent)
}

func TestNotifyNeedsItsCapability(t *testing.T) {
	notify := func(c *sdk.Context) (any, error) {
		return c.Notify(sdk.Notification{ChannelID: "c", Message: "m"})
	}
	sdktest.Run(t, with(notify), sdktest.Case{}).RequireFailure(t, wire.Denied)
	result := sdktest.Run(t, with(notify, sdk.CapabilityNotify), sdktest.Case{})
	require.JSONEq(t, `"notification-1"`, string(result.Value))
}

func TestResultThatJSONCannotHoldIsPermanent(t *testing.T) {
	p := with(func(*sdk.Context) (any, error) { return math.Inf(1), nil })
	require.Contains(t, sdktest.Run(t, p, sdktest.Case{}).RequireFailure(t, wire.Permanent).Message, "render result")
}

func TestServeAnswersMalformedRequests(t *testing.T) {
	p := with(func(*sdk.Context) (any, error) { t.Error("the handler ran"); return nil, nil })
	var response wire.Response
	_, err := wire.Decode(sdk.Serve(&p, []byte("??"), nil), &response)
	require.NoError(t, err)
	require.Equal(t, wire.Permanent, response.Error.Kind)
}

// dead is a host that went away.
type dead struct{}

func (dead) Call(string, []byte) ([]byte, error) { return nil, errors.New("gone") }

func TestLoggingNeverFailsARun(t *testing.T) {
	p := with(func(c *sdk.Context) (any, error) { c.Log.Info("x"); return 1, nil })
	request, err := wire.Encode(wire.Request{ABI: wire.ABI}, []byte("{}"))
	require.NoError(t, err)
	var response wire.Response
	payload, err := wire.Decode(sdk.Serve(&p, request, dead{}), &response)
	require.NoError(t, err)
	require.Equal(t, "1", string(payload))
}
