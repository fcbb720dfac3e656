package host_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestNULInResultsIsReplaced(t *testing.T) {
	for given, kept := range map[string]string{
		`{"a\u0000": ["\u0000\u0000"]}`: `{"a\ufffd": ["\ufffd\ufffd"]}`,
		`"\\\u0000"`:                    `"\\\ufffd"`,
		`"\\u0000"`:                     `"\\u0000"`,
		`"\u0001u0000"`:                 `"\u0001u0000"`,
	} {
		h := loaded(t, answer(frame(t, wire.Response{}, given), nil))
		out, err := h.invoke(t, "x")
		require.NoError(t, err)
		require.Equal(t, kept, string(out.Result))
	}
}

func TestNULInErrorsIsReplaced(t *testing.T) {
	for name, handle := range map[string]handler{
		"its own":        answer(frame(t, wire.Response{Error: &wire.Error{Message: "a\x00b"}}, ""), nil),
		"of the runtime": answer(nil, &core.Failure{Code: core.CodePluginTrap, Message: "a\x00b"}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loaded(t, handle).invoke(t, "x")
			require.Equal(t, "a b", core.FailureOf(err).Message)
		})
	}
}

func TestNULInLogLinesIsReplaced(t *testing.T) {
	line := wire.LogLine{Message: "a\x00b", Fields: map[string]any{"k\x00": []any{map[string]any{"x": "\x00"}, 1.0}}}
	out, err := loaded(t, callOnce(wire.OpLog, line)).invoke(t, "x")
	require.NoError(t, err)
	require.Equal(t, "a b", out.Logs[0].Message)
	require.Equal(t, map[string]any{"k\ufffd": []any{map[string]any{"x": "\ufffd"}, 1.0}}, out.Logs[0].Fields)
}
