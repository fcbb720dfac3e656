package hosttest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// operations are what a run asks of its host.
func (s *suite) operations() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"config": func(t *testing.T) {
			require.JSONEq(t, `{"greeting": "hello", "list": [1, 2]}`, string(s.do(t, roomy, order{Do: "config"}).Result))
			require.JSONEq(t, `{}`, string(s.do(t, tight, order{Do: "config"}).Result))
		},
		"notify": s.testNotify,
		"a capability that is not granted": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "notify"})
			expect(t, f, core.CodePluginDenied, core.ClassDenied)
			require.Contains(t, f.Message, "notify")
			require.Empty(t, s.sent.take())
		},
		"a refusal cannot be hidden": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "notify", Text: "swallow"})
			expect(t, f, core.CodePluginDenied, core.ClassDenied)
		},
		"every capability is closed by default": func(t *testing.T) {
			for _, op := range []string{"http", "kv.get", "secret", "publish", "enqueue"} {
				_, f := s.fail(t, granted, order{Do: "call", Text: op, N: 1})
				expect(t, f, core.CodePluginDenied, core.ClassDenied)
			}
		},
		"an unknown operation is an ordinary error": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "call", Text: "teleport", N: 1})
			expect(t, f, core.CodeExecutionFailed, core.ClassPermanent)
			require.Contains(t, f.Message, "teleport")
		},
	}
}

func (s *suite) testNotify(t *testing.T) {
	out := s.do(t, granted, order{Do: "notify", N: 2})
	require.JSONEq(t, `{"id": "n-1", "via": ["email"]}`, string(out.Result))

	sent := s.sent.take()
	require.Len(t, sent, 2)
	require.Equal(t, "execution-1:1", sent[0].IdempotencyKey)
	require.Equal(t, "execution-1:2", sent[1].IdempotencyKey)
	require.Equal(t, []any{"execution-1", "task-1", "Task", granted, "channel", "message"},
		[]any{sent[0].ExecutionID, sent[0].TaskID, sent[0].TaskName, sent[0].TaskType, sent[0].ChannelID, sent[0].Message})

	s.do(t, granted, order{Do: "notify"})
	require.Equal(t, "execution-1:1", s.sent.take()[0].IdempotencyKey, "the keys are the same in a later attempt")
}
