package core_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// alertOf returns the text of the one alert about executions.
func alertOf(t *testing.T, executions ...core.Execution) string {
	t.Helper()
	var texts []string
	for _, m := range core.MessagesOf(executions, later(time.Hour)) {
		if m.Kind == core.MessageAlert {
			var data core.MessageData
			require.NoError(t, json.Unmarshal(m.Data, &data))
			texts = append(texts, data.Text)
		}
	}
	require.Len(t, texts, 1)
	return texts[0]
}

func TestAFailureSaysWhatWasSpent(t *testing.T) {
	broken := &core.Failure{Code: core.CodeExecutionFailed, Message: "it broke"}
	for _, tc := range []struct {
		name    string
		losses  int
		attempt int // failures of the work
		want    string
	}{
		{"attempts", 0, 3, `task "test task" failed after 3 of 3 attempts: it broke`},
		{"an attempt and a lost worker", 1, 3, `task "test task" failed after 3 of 3 attempts and 1 lost worker: it broke`},
		{"attempts and lost workers", 4, 3, `task "test task" failed after 3 of 3 attempts and 4 lost workers: it broke`},
		{"lost workers", 5, 0, `task "test task" failed after 5 lost workers: worker node-a stopped answering`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := pending()
			e.MaxAttempts, e.Policy.Alerts.Failed = 3, true
			step := func(end func()) {
				require.NoError(t, e.Start("node-a", 7, later(0), later(time.Second)))
				end()
			}
			for range tc.losses {
				step(func() { e.LoseLease(later(time.Second)) })
			}
			for range tc.attempt {
				step(func() { e.Fail(broken, "p@1", 0, later(time.Second)) })
			}
			require.Equal(t, core.StatusFailed, e.Status)
			require.Equal(t, tc.want, alertOf(t, e))
		})
	}
	e := pending(atMostOnce)
	e.Policy.Alerts.Failed = true
	require.NoError(t, e.Start("node-a", 7, later(0), later(time.Second)))
	e.LoseLease(later(time.Second))
	require.Equal(t, `an execution of task "test task" was lost: worker node-a stopped answering`, alertOf(t, e))
}
