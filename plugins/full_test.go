package plugins_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// A message that could not be kept under its key is not sent: it would be sent
// again when somebody retries the execution that failed.
func TestAMessageThatCannotBeKeptIsNotSent(t *testing.T) {
	each(t, []string{"message"}, func(t *testing.T, p platforms) {
		send := func(id, more string) error {
			return p.run(t, invocation("message", id, []byte(`{"platform": "discord", "channelId": "42", "content": "hi"`+more+`}`)))
		}
		require.NoError(t, send("kept", `, "messageKey": "k"`))
		p.store.size = 1 << 20 // all that limits.kv allows
		failure := core.FailureOf(send("full", `, "messageKey": "another"`))
		require.Equal(t, core.CodePluginStateLimit, failure.Code)
		require.Equal(t, core.ClassPermanent, failure.Class)
		require.Len(t, p.Journal().Effects(""), 1)

		require.NoError(t, send("unkept", ""))
		require.NoError(t, p.run(t, invocation("message", "edit", []byte(`{"platform": "discord", "action": "edit", "messageKey": "k", "content": "second"}`))))
		require.NoError(t, p.run(t, invocation("message", "delete", []byte(`{"platform": "discord", "action": "delete", "messageKey": "k"}`))))
	})
}
