package plugins_test

import (
	"fmt"
	"strings"
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

// A token that is not valid any more does not get the address banned.
func TestAStormOfUnauthorizedRequestsStopsEndToEnd(t *testing.T) {
	each(t, []string{"moderation", "channel_update"}, func(t *testing.T, p platforms) {
		require.NoError(t, p.Faults().Add(fakeplatform.Fault{Route: "twitch.*", Kind: fakeplatform.FaultUnauthorized}))
		data := `{"platform": "twitch", "action": "ban", "broadcasterId": "42", "userId": "9"}`
		for n := range 20 {
			failure := core.FailureOf(p.run(t, invocation("moderation", fmt.Sprintf("storm-%d", n), []byte(data))))
			require.Equal(t, core.ClassPermanent, failure.Class)
			require.Contains(t, failure.Message, "401")
			require.Equal(t, n >= 5, strings.Contains(failure.Message, "check the token"))
		}
		require.Len(t, p.Journal().Requests("twitch.ban"), 5)
		p.Faults().Clear()
		other := `{"platform": "twitch", "channelId": "42", "title": "Chess"}`
		require.NoError(t, p.run(t, invocation("channel_update", "other", []byte(other))), "the other types have tokens of their own")
	})
}
