package hosttest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// limits are runs that want more than they may have.
func (s *suite) limits() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"memory bomb": func(t *testing.T) {
			_, f := s.fail(t, tight, order{Do: "memory", N: 1000})
			expect(t, f, core.CodePluginMemoryLimit, core.ClassRetryable)
			require.Contains(t, f.Message, "24MiB")
		},
		"memory within the limit": func(t *testing.T) {
			require.Equal(t, "32", string(s.do(t, roomy, order{Do: "memory", N: 32}).Result))
		},
		"processor time": s.testProcessorTime,
		"output flood": func(t *testing.T) {
			_, f := s.fail(t, tight, order{Do: "output", N: 5000})
			expect(t, f, core.CodePluginOutputLimit, core.ClassRetryable)
		},
		"output within the limit": func(t *testing.T) {
			require.Len(t, s.do(t, tight, order{Do: "output", N: 3900}).Result, 3902)
		},
		"log":            s.testLog,
		"log flood":      s.testLogFlood("more than 300 lines", order{Do: "log", N: 301}),
		"long log flood": s.testLogFlood("more than 128KiB", order{Do: "log", Text: strings.Repeat("x", 10<<10), N: 13}),
		"output lines":   s.testOutputLines,
		"host-call flood": func(t *testing.T) {
			_, f := s.fail(t, tight, order{Do: "call", Text: "config", N: 11})
			expect(t, f, core.CodePluginCallLimit, core.ClassRetryable)
			require.Contains(t, f.Message, "10")
		},
		"host calls within the limit": func(t *testing.T) {
			require.Equal(t, "10", string(s.do(t, tight, order{Do: "call", Text: "config", N: 10}).Result))
		},
	}
}

// testProcessorTime demands that the host learns what a run has computed.
func (s *suite) testProcessorTime(t *testing.T) {
	before := s.seen.cpu(frugal)
	_, f := s.fail(t, frugal, order{Do: "loop"})
	expect(t, f, core.CodePluginCPULimit, core.ClassRetryable)
	require.Greater(t, s.seen.cpu(frugal)-before, 100*time.Millisecond, "its limit")
}

// testLogFlood demands that a run ends at the line that is too much, and keeps
// what it had logged.
func (s *suite) testLogFlood(want string, o order) func(*testing.T) {
	return func(t *testing.T) {
		out, f := s.fail(t, tight, o)
		expect(t, f, core.CodePluginLogLimit, core.ClassRetryable)
		require.Contains(t, f.Message, want)
		require.Equal(t, o.N-1, len(out.Logs)+out.LogsDropped)
	}
}

func (s *suite) testLog(t *testing.T) {
	const lines = 200
	out := s.do(t, tight, order{Do: "log", Text: strings.Repeat("x", 50), N: lines})
	require.Equal(t, lines, len(out.Logs)+out.LogsDropped)
	require.NotEmpty(t, out.Logs)
	require.Positive(t, out.LogsDropped)
	total := 0
	for i, l := range out.Logs {
		total += len(l.Message)
		require.EqualValues(t, i, l.Fields["i"], "lines are in order and the first ones are kept")
	}
	require.LessOrEqual(t, total, 1<<10)
}

func (s *suite) testOutputLines(t *testing.T) {
	out := s.do(t, roomy, order{Do: "print", Text: "line", N: 2})
	require.Equal(t, []string{"line 0", "line 1", "unfinished"}, messages(out))
	require.Equal(t, "info", out.Logs[0].Level)
	require.Equal(t, "warn", out.Logs[2].Level)
	require.Equal(t, map[string]any{"stream": "stderr"}, out.Logs[2].Fields)
}
