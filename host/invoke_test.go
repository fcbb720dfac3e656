package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

type handler = func(context.Context, []byte, host.Caller) ([]byte, error)

// callOnce makes one operation and answers with its value, or its error.
func callOnce(op string, args any) handler {
	return func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		in, err := wire.Encode(args, nil)
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
		return wire.Encode(wire.Response{Error: reply.Error}, reply.Value)
	}
}

func answer(frame []byte, err error) handler {
	return func(context.Context, []byte, host.Caller) ([]byte, error) { return frame, err }
}

// untilEnd runs until its context ends.
func untilEnd(started chan<- struct{}) handler {
	return func(ctx context.Context, _ []byte, _ host.Caller) ([]byte, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func loaded(t *testing.T, handle handler, lines ...string) *house {
	t.Helper()
	h := newHouse(t)
	h.runtime.program("good").handle = handle
	h.list(t, lines...)
	h.load(t)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State, h.status(t, "x").Error)
	return h
}

func frame(t *testing.T, header any, payload string) []byte {
	t.Helper()
	b, err := wire.Encode(header, []byte(payload))
	require.NoError(t, err)
	return b
}

func TestInvokeReadsTheResponse(t *testing.T) {
	tests := map[string]struct {
		frame   []byte
		want    string
		failure *core.Failure
	}{
		"result":  {frame: frame(t, wire.Response{}, `{"a": 1}`), want: `{"a": 1}`},
		"nothing": {frame: frame(t, wire.Response{}, ""), want: "null"},
		"retryable": {frame: frame(t, wire.Response{Error: &wire.Error{Kind: wire.Retryable, Message: "m", RetryAfterMS: 5}}, ""),
			failure: &core.Failure{Code: core.CodeExecutionFailed, Message: "m", Class: core.ClassRetryable, RetryAfter: 5 * time.Millisecond}},
		"retry after beyond measure": {frame: frame(t, wire.Response{Error: &wire.Error{Message: "m", RetryAfterMS: 1 << 62}}, ""),
			failure: &core.Failure{Code: core.CodeExecutionFailed, Message: "m", Class: core.ClassRetryable, RetryAfter: 30 * 24 * time.Hour}},
		"permanent": {frame: frame(t, wire.Response{Error: &wire.Error{Kind: wire.Permanent, Message: "m", RetryAfterMS: 5}}, ""),
			failure: &core.Failure{Code: core.CodeExecutionFailed, Message: "m", Class: core.ClassPermanent}},
		"unknown kind": {frame: frame(t, wire.Response{Error: &wire.Error{Kind: "odd", Message: "a\x1b[2Jb\xff"}}, ""),
			failure: &core.Failure{Code: core.CodeExecutionFailed, Message: "a [2Jb\uFFFD", Class: core.ClassRetryable}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := loaded(t, answer(test.frame, nil)).invoke(t, "x")
			require.Equal(t, "good@1.0.0", out.Plugin)
			if test.failure != nil {
				require.Equal(t, test.failure, core.FailureOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, string(out.Result))
		})
	}
}

func TestInvokeRefusesBrokenResponses(t *testing.T) {
	for name, b := range map[string][]byte{
		"no frame":       []byte("x"),
		"no JSON result": frame(t, wire.Response{}, "{"),
		"two results":    frame(t, wire.Response{}, "1 2"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loaded(t, answer(b, nil)).invoke(t, "x")
			f := core.FailureOf(err)
			require.Equal(t, core.CodeExecutionFailed, f.Code)
			require.Contains(t, f.Message, "cannot be read")
		})
	}
}

func TestInvokeTellsTimeoutFromCancellation(t *testing.T) {
	tests := map[string]struct {
		cause error
		code  core.Code
	}{
		"cancelled":         {nil, core.CodeCancelled},
		"cancelled because": {errors.New("asked for"), core.CodeCancelled},
		"timeout":           {core.Errorf(core.CodeTimeout, "too long"), core.CodeTimeout},
		"deadline":          {context.DeadlineExceeded, core.CodeTimeout},
		"failure":           {&core.Failure{Code: core.CodeLeaseLost, Class: core.ClassRetryable}, core.CodeLeaseLost},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			started := make(chan struct{}, 1)
			h := loaded(t, untilEnd(started))
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { <-started; cancel(test.cause) }()
			_, err := h.Invoke(ctx, core.Invocation{Type: "x"})
			require.Equal(t, test.code, failureCode(err))
		})
	}
}

func TestInvokeEndsAtTheEarlierDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		lines    []string
		deadline time.Time
	}{
		"the plugin's":  {[]string{"limits: {timeout: 20ms}"}, time.Now().Add(time.Hour)},
		"the attempt's": {nil, time.Now().Add(20 * time.Millisecond)},
	} {
		t.Run(name, func(t *testing.T) {
			h := loaded(t, untilEnd(make(chan struct{}, 1)), test.lines...)
			_, err := h.Invoke(t.Context(), core.Invocation{Type: "x", Deadline: test.deadline})
			require.Equal(t, core.CodeTimeout, failureCode(err))
		})
	}
}

func TestPluginIsToldTheDeadlineThatHolds(t *testing.T) {
	var got wire.Request
	h := loaded(t, func(_ context.Context, request []byte, _ host.Caller) ([]byte, error) {
		data, err := wire.Decode(request, &got)
		if err != nil {
			return nil, err
		}
		return wire.Encode(wire.Response{}, data)
	}, "limits: {timeout: 1m}")
	start := time.Now()
	out, err := h.Invoke(t.Context(), core.Invocation{Type: "x", ExecutionID: "e", Deadline: start.Add(time.Hour)})
	require.NoError(t, err)
	require.WithinDuration(t, start.Add(time.Minute), got.Execution.Deadline, 10*time.Second)
	require.Equal(t, "{}", string(out.Result), "no data is an empty object")
}

func TestUnknownErrorOfARuntimeIsInternal(t *testing.T) {
	_, err := loaded(t, answer(nil, errors.New("secret inside"))).invoke(t, "x")
	require.Equal(t, core.CodeInternal, failureCode(err))
	require.NotContains(t, core.FailureOf(err).Message, "secret")
}

func TestOversizeDataIsRefused(t *testing.T) {
	h := loaded(t, answer(nil, errors.New("ran")))
	_, err := h.Invoke(t.Context(), core.Invocation{Type: "x", Data: make(json.RawMessage, 5<<20)})
	require.Equal(t, core.ClassPermanent, core.FailureOf(err).Class)
}

func TestCallsAfterTheRunAreRefused(t *testing.T) {
	var kept host.Caller
	h := loaded(t, func(_ context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		kept = caller
		return wire.Encode(wire.Response{}, nil)
	})
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	_, err = kept.Call(t.Context(), wire.OpConfig, frame(t, struct{}{}, ""))
	require.ErrorContains(t, err, "over")
	kept.Output(host.Stdout, []byte("late\n"))
	require.Empty(t, out.Logs)
}

func TestCountersOutliveReloads(t *testing.T) {
	h := loaded(t, answer(nil, errors.New("x")))
	_, err := h.invoke(t, "x")
	require.Error(t, err)
	require.NoError(t, h.Reload(t.Context()))
	_, err = h.invoke(t, "x")
	require.Error(t, err)
	require.Equal(t, core.PluginCounters{Total: 2, Failed: 2}, h.status(t, "x").Calls)
}

// An attempt names a plugin when that may have had an effect: at_most_once goes
// by it.
func TestWhatHasNotBegunNamesNoPlugin(t *testing.T) {
	unavailable := &core.Failure{Code: core.CodePluginUnavailable, Class: core.ClassRetryable}
	for plugin, err := range map[string]error{"good@1.0.0": unavailable, "": host.NotBegunError{Err: unavailable}} {
		out, got := loaded(t, answer(nil, err)).invoke(t, "x")
		require.Equal(t, core.CodePluginUnavailable, failureCode(got))
		require.Equal(t, plugin, out.Plugin)
	}
}

// So does one that waited for a place when its plugin was closed.
func TestWhatWaitedForAClosedPluginHasNotBegun(t *testing.T) {
	started := make(chan struct{}, 1)
	h := loaded(t, untilEnd(started), "limits: {concurrency: 1}")
	type ended struct {
		out core.Outcome
		err error
	}
	ends := make(chan ended)
	run := func() {
		out, err := h.Invoke(t.Context(), core.Invocation{ExecutionID: "e", Type: "x", Attempt: 1})
		ends <- ended{out, err}
	}
	go run()
	<-started
	go run()
	eventually(t, "both", func() bool { return h.status(t, "x").Calls.Active == 2 })
	over, end := context.WithCancel(t.Context())
	end()
	go func() { _ = h.Close(over) }() // the end of the test closes it, too
	plugins := map[string]int{}
	for range 2 {
		e := <-ends
		require.Equal(t, core.CodePluginUnavailable, failureCode(e.err))
		plugins[e.out.Plugin]++
	}
	require.Equal(t, map[string]int{"good@1.0.0": 1, "": 1}, plugins)
}
