package hosttest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// answers are runs that end by themselves.
func (s *suite) answers() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"echo": func(t *testing.T) {
			require.JSONEq(t, `"hello"`, string(s.do(t, roomy, order{Do: "echo", Text: "hello"}).Result))
		},
		"nothing is null": func(t *testing.T) {
			require.Equal(t, "null", string(s.do(t, roomy, order{Do: "nothing"}).Result))
		},
		"payload of 1 MiB": func(t *testing.T) {
			text := strings.Repeat("0123456789abcdef", 1<<16)
			var got string
			require.NoError(t, json.Unmarshal(s.do(t, roomy, order{Do: "echo", Text: text}).Result, &got))
			require.True(t, text == got, "the text changed on its way") //nolint:testifylint // Equal would print a megabyte
		},
		"execution": s.testExecution,
		"error is retryable": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "error"})
			expect(t, f, core.CodeExecutionFailed, core.ClassRetryable)
			require.Equal(t, "ordinary trouble", f.Message)
			require.Zero(t, f.RetryAfter)
		},
		"permanent": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "permanent"})
			expect(t, f, core.CodeExecutionFailed, core.ClassPermanent)
		},
		"retry after": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "later"})
			expect(t, f, core.CodeExecutionFailed, core.ClassRetryable)
			require.Equal(t, 90*time.Second, f.RetryAfter)
		},
		"data that the handler does not know is permanent": func(t *testing.T) {
			in := invocation(t, roomy, order{})
			in.Data = json.RawMessage(`{"do": "echo", "unknown": 1}`)
			_, err := s.host.Invoke(t.Context(), in)
			expect(t, failure(t, err), core.CodeExecutionFailed, core.ClassPermanent)
		},
	}
}

func (s *suite) testExecution(t *testing.T) {
	in := invocation(t, roomy, order{Do: "execution"})
	out, err := s.host.Invoke(t.Context(), in)
	require.NoError(t, err)
	var got struct {
		ID, TaskID, TaskName, Type, Trigger, IdempotencyKey string
		Attempt, MaxAttempts                                int
		Token                                               int64
		NominalTime, Deadline                               time.Time
	}
	require.NoError(t, json.Unmarshal(out.Result, &got))
	require.Equal(t, []any{"execution-1", "task-1", "Task", roomy, "manual", 2, 3, int64(1 << 60)},
		[]any{got.ID, got.TaskID, got.TaskName, got.Type, got.Trigger, got.Attempt, got.MaxAttempts, got.Token})
	require.Equal(t, in.NominalTime, got.NominalTime)
	require.WithinDuration(t, in.Deadline, got.Deadline, 0)
	require.Equal(t, "execution-1", got.IdempotencyKey)
}
