package hosttest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// ends are runs that somebody or something else ends.
func (s *suite) ends() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"panic": s.testPanic,
		"exit": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "exit"})
			expect(t, f, s.exit, core.ClassRetryable)
			require.Contains(t, f.Message, "7")
		},
		"deadlock at the plugin's timeout": func(t *testing.T) {
			s.testDeadline(t, brief, order{Do: "deadlock"}, time.Minute)
		},
		"endless loop at the deadline": func(t *testing.T) {
			s.testDeadline(t, roomy, order{Do: "loop"}, 200*time.Millisecond)
		},
		"endless recursion at the deadline": func(t *testing.T) {
			s.testDeadline(t, roomy, order{Do: "recurse", N: 70}, 200*time.Millisecond)
		},
		"sleep past the deadline": func(t *testing.T) {
			s.testDeadline(t, roomy, order{Do: "sleep", N: 60_000}, 200*time.Millisecond)
		},
		"endless loop at the plugin's timeout": func(t *testing.T) {
			s.testDeadline(t, brief, order{Do: "loop"}, time.Minute)
		},
		"cancel a loop":  func(t *testing.T) { s.testCancel(t, order{Do: "loop"}) },
		"cancel a sleep": func(t *testing.T) { s.testCancel(t, order{Do: "sleep", N: 60_000}) },
		"cancelled before it starts": func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			out, err := s.host.Invoke(ctx, invocation(t, granted, order{Do: "notify"}))
			expect(t, failure(t, err), core.CodeCancelled, core.ClassCancelled)
			require.True(t, out.Effects.Empty())
		},
	}
}

func (s *suite) testPanic(t *testing.T) {
	out, f := s.fail(t, roomy, order{Do: "panic", Text: "the cat is out"})
	expect(t, f, core.CodePluginTrap, core.ClassRetryable)
	require.Contains(t, f.Message, "the cat is out")
	require.NotContains(t, f.Message, "goroutine", "the stack belongs in the log")
	require.Contains(t, messages(out), "panic: the cat is out")
}

func (s *suite) testDeadline(t *testing.T, taskType string, o order, after time.Duration) {
	in := invocation(t, taskType, o)
	start := time.Now()
	in.Deadline = start.Add(after)
	_, err := s.host.Invoke(t.Context(), in)
	expect(t, failure(t, err), core.CodeTimeout, core.ClassTimeout)
	require.Less(t, time.Since(start), time.Second+slack)
	s.do(t, roomy, order{Do: "echo"}) // the next run is not touched
}

func (s *suite) testCancel(t *testing.T, o order) {
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(200*time.Millisecond, cancel)
	defer stop.Stop()
	start := time.Now()
	_, err := s.host.Invoke(ctx, invocation(t, roomy, o))
	expect(t, failure(t, err), core.CodeCancelled, core.ClassCancelled)
	require.Less(t, time.Since(start), 200*time.Millisecond+slack)
}

func messages(out core.Outcome) []string {
	var lines []string
	for _, l := range out.Logs {
		lines = append(lines, l.Message)
	}
	return lines
}
