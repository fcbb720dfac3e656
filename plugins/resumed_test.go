package plugins_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/fakeplatform"
)

// An attempt that fails among several users is gone on with where it was, and
// what is repeated makes no time-out longer.
func TestASecondAttemptGoesOnEndToEnd(t *testing.T) {
	each(t, []string{"moderation"}, func(t *testing.T, p platforms) {
		for n, c := range []struct {
			kind  fakeplatform.FaultKind
			bans  int
			class core.Class
		}{
			{fakeplatform.FaultResetBefore, 3, core.ClassRetryable},
			{fakeplatform.FaultResetAfter, 4, core.ClassRetryable},
			{fakeplatform.FaultWrongJSON, 3, ""}, // nothing in the answer is needed
		} {
			p.Journal().Clear()
			in := invocation("moderation", fmt.Sprintf("resumed-%d", n), nil)
			end := in.NominalTime.Add(10 * time.Minute).UTC()
			in.Data = fmt.Appendf(nil, `{"platform": "twitch", "action": "timeout", "broadcasterId": "%d", "userIds": ["1", "2", "3"], "durationMs": 600000}`, 100+n)
			require.NoError(t, p.Faults().Add(fakeplatform.Fault{Route: "twitch.ban", Kind: c.kind, Times: 1}))
			if err := p.run(t, in); c.class != "" {
				require.Equal(t, c.class, core.FailureOf(err).Class)
				in.Attempt, in.Token = 2, 2
				require.NoError(t, p.run(t, in))
			} else {
				require.NoError(t, err)
			}
			effects := p.Journal().Effects("twitch.ban")
			require.Len(t, effects, c.bans)
			for _, e := range effects {
				until, ok := e.Detail.(map[string]any)["until"].(time.Time)
				require.True(t, ok)
				require.WithinDuration(t, end, until, 2*time.Second)
			}
		}
	})
}
