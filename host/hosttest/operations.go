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
		"a failed run notifies nobody": func(t *testing.T) {
			out, f := s.fail(t, granted, order{Do: "notify", Text: "fail"})
			expect(t, f, core.CodeExecutionFailed, core.ClassRetryable)
			require.True(t, out.Effects.Empty())
		},
		"a capability that is not granted": func(t *testing.T) {
			out, f := s.fail(t, roomy, order{Do: "notify"})
			expect(t, f, core.CodePluginDenied, core.ClassDenied)
			require.Contains(t, f.Message, "notify")
			require.True(t, out.Effects.Empty())
		},
		"a refusal cannot be hidden": func(t *testing.T) {
			_, f := s.fail(t, roomy, order{Do: "notify", Text: "swallow"})
			expect(t, f, core.CodePluginDenied, core.ClassDenied)
		},
		"every capability is closed by default": func(t *testing.T) {
			for _, op := range []string{"http", "kv.get", "secret", "publish", "enqueue", "maintenance.prune"} {
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
	require.JSONEq(t, `"execution-1:2"`, string(out.Result))

	sent := out.Effects.Messages
	require.Len(t, sent, 2)
	require.Equal(t, []string{"execution-1:1", "execution-1:2"}, []string{sent[0].ID, sent[1].ID})
	require.Equal(t, []any{core.MessageNotification, "execution-1", "task-1"}, []any{sent[0].Kind, sent[0].ExecutionID, sent[0].TaskID})
	require.JSONEq(t, `{"taskName": "Task", "taskType": "granted", "nominalTime": "2026-03-01T09:00:00Z",
		"channelId": "channel", "message": "message", "via": ["email"]}`, string(sent[0].Data))

	again := s.do(t, granted, order{Do: "notify"})
	require.Equal(t, "execution-1:1", again.Effects.Messages[0].ID, "the keys are the same in a later attempt")
}
