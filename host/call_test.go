package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// brokenStore is a store whose errors tell about the inside of the host.
type brokenStore struct{ core.StateStore }

func (brokenStore) PluginState(context.Context, string, string, string, int) ([]core.StateEntry, error) {
	return nil, errors.New("dial canary-9")
}

// logged is a house that writes its log to a buffer.
func logged(t *testing.T, handle handler, lines ...string) (*house, *bytes.Buffer) {
	t.Helper()
	h := newHouse(t)
	h.runtime.program("good").handle = handle
	h.list(t, lines...)
	var log bytes.Buffer
	h.Host = host.New(host.Config{
		Path:     filepath.Join(h.dir, "plugins.yaml"),
		Runtimes: map[string]host.Runtime{"fake": h.runtime},
		State:    brokenStore{},
		Logger:   hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug, JSONFormat: true}),
	})
	h.load(t)
	return h, &log
}

func TestInnerErrorsAreLoggedAndNotShown(t *testing.T) {
	h, log := logged(t, callOnce(wire.OpStateGet, wire.StateKey{Key: "k"}), "grants: {kv: true}")
	_, err := h.invoke(t, "x")
	f := core.FailureOf(err)
	require.Equal(t, core.ClassRetryable, f.Class)
	require.NotContains(t, f.Message, "canary-9")
	require.NoError(t, h.Close(t.Context()))
	require.Contains(t, log.String(), "canary-9")
}

func TestLogLinesReachTheServersLogWithTheirExecution(t *testing.T) {
	h, log := logged(t, callOnce(wire.OpLog, wire.LogLine{Level: "warn", Message: "needle", Fields: map[string]any{"k": "v"}}))
	out, err := h.Invoke(t.Context(), core.Invocation{Type: "x", ExecutionID: "e-1", TaskID: "t-1", Attempt: 4})
	require.NoError(t, err)
	require.Len(t, out.Logs, 1)
	require.Equal(t, []any{"warn", "needle", map[string]any{"k": "v"}}, []any{out.Logs[0].Level, out.Logs[0].Message, out.Logs[0].Fields})
	require.NoError(t, h.Close(t.Context()))
	for _, line := range strings.Split(log.String(), "\n") {
		if strings.Contains(line, "needle") {
			var entry map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &entry))
			require.Equal(t, []any{"debug", "e-1", "t-1", 4.0, "good@1.0.0"},
				[]any{entry["@level"], entry["execution_id"], entry["task_id"], entry["attempt"], entry["plugin"]})
			return
		}
	}
	t.Fatal("the line is not in the log")
}

// What is dropped is counted as well: a run that logs without end ends.
func TestARunEndsAtTheLineTooMuch(t *testing.T) {
	for limit, n := range map[string]int{"logLines: 40": 40, "logBytes: 4KiB": 4096 / len(arguments(t, wire.LogLine{Message: "x"}))} {
		t.Run(limit, func(t *testing.T) {
			lines := 0
			h := loaded(t, func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
				for {
					if _, err := caller.Call(ctx, wire.OpLog, arguments(t, wire.LogLine{Message: "x"})); err != nil {
						return nil, err
					}
					lines++
				}
			}, "limits: {logs: 100B, "+limit+"}")
			out, err := h.invoke(t, "x")
			require.Equal(t, core.CodePluginLogLimit, failureCode(err))
			require.Equal(t, core.ClassRetryable, core.FailureOf(err).Class)
			require.ErrorContains(t, err, strings.Split(limit, ":")[0])
			require.Equal(t, n, lines)
			require.Equal(t, n, len(out.Logs)+out.LogsDropped)
		})
	}
}

// arguments is the frame of an operation.
func arguments(t *testing.T, args any) []byte {
	t.Helper()
	in, err := wire.Encode(args, nil)
	require.NoError(t, err)
	return in
}

// Lines cost no operation, so the host does no work for those that it drops.
func TestDroppedLogLinesAreNotRead(t *testing.T) {
	for name, limit := range map[string]struct {
		lines string
		first wire.LogLine
		kept  int
	}{
		"no room":        {"limits: {logs: 100B}", wire.LogLine{Message: strings.Repeat("x", 100)}, 0},
		"too large":      {"limits: {logs: 16MiB}", wire.LogLine{Message: strings.Repeat("x", 64<<10)}, 0},
		"just not":       {"limits: {logs: 16MiB}", wire.LogLine{Message: strings.Repeat("x", 63<<10)}, 1},
		"too many words": {"limits: {logs: 16MiB}", wire.LogLine{Fields: map[string]any{"x": strings.Repeat("x", 64<<10)}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := stateful(t, nil, func(d desk) error {
				require.NoError(t, d.ask(wire.OpLog, limit.first, nil))
				err := d.raw(wire.OpLog, json.RawMessage(`no JSON`))
				if limit.kept > 0 {
					require.ErrorContains(t, err, "arguments")
					return nil
				}
				return err
			}, limit.lines)
			out, err := h.invoke(t, "x")
			require.NoError(t, err)
			require.Len(t, out.Logs, limit.kept)
			require.Equal(t, 2*(1-limit.kept), out.LogsDropped)
		})
	}
}

// A log that is nested as deep as JSON can be read could not be read again within
// the list of all lines.
func TestFieldsOfLogLinesAreNotNestedTooDeep(t *testing.T) {
	for levels, fits := range map[int]bool{64: true, 65: false, 9000: false} {
		fields := map[string]any{}
		for range levels - 1 {
			fields = map[string]any{"x": fields}
		}
		h := loaded(t, callOnce(wire.OpLog, wire.LogLine{Fields: fields}))
		out, err := h.invoke(t, "x")
		if fits {
			require.NoError(t, err)
			require.Len(t, out.Logs, 1)
			continue
		}
		require.ErrorContains(t, err, "deeper than 64 levels")
		require.Equal(t, core.ClassPermanent, core.FailureOf(err).Class)
		require.Empty(t, out.Logs)
	}
}

func TestLogLinesAreMadeFit(t *testing.T) {
	h := loaded(t, func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		caller.Output(host.Stdout, []byte("a\x1b[31mb\xffc"))
		caller.Output(host.Stdout, []byte("d\r\n\n"))
		caller.Output(host.Stderr, bytes.Repeat([]byte("x"), 20<<10))
		caller.Output(host.Stderr, []byte("\nnext\n"))
		return wire.Encode(wire.Response{}, nil)
	})
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Len(t, out.Logs, 4)
	require.Equal(t, "a [31mbcd ", out.Logs[0].Message)
	require.Empty(t, out.Logs[1].Message)
	require.Len(t, out.Logs[2].Message, 8<<10+len("… (cut)"))
	require.Equal(t, "next", out.Logs[3].Message)
}

func TestEmptyLogLinesAreNotFree(t *testing.T) {
	h := loaded(t, func(_ context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		caller.Output(host.Stdout, bytes.Repeat([]byte("\n"), 1000))
		return wire.Encode(wire.Response{}, nil)
	}, "limits: {logs: 1KiB}")
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Len(t, out.Logs, 32)
	require.Equal(t, 968, out.LogsDropped)
}

func TestMalformedArgumentsArePermanent(t *testing.T) {
	for _, op := range []string{wire.OpLog, wire.OpNotify, wire.OpProgress} {
		h := loaded(t, callOnce(op, []int{1}), "grants: {notify: true}")
		_, err := h.invoke(t, "x")
		require.Equal(t, core.ClassPermanent, core.FailureOf(err).Class)
		require.Contains(t, err.Error(), "arguments")
	}
}
