package core_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// The answers of an overlap policy.
const (
	admit  = "admit"
	refuse = "refuse"
	cancel = "cancel the others"
)

func answerOf(a core.Admission) string {
	switch {
	case a.Admit && a.CancelPrevious:
		return cancel
	case a.Admit:
		return admit
	}
	return refuse
}

func TestOverlapPolicies(t *testing.T) {
	actives := []core.Active{{}, {Running: 1}, {Waiting: 1}, {Running: 1, Waiting: 1}, {Running: 3}, {Waiting: core.MaxOverlapQueue - 1}, {Running: 1, Waiting: core.MaxOverlapQueue}}
	for policy, want := range map[core.OverlapPolicy][]string{
		core.OverlapSkip:           {admit, refuse, refuse, refuse, refuse, refuse, refuse},
		core.OverlapQueue:          {admit, admit, refuse, refuse, admit, refuse, refuse},
		core.OverlapQueueAll:       {admit, admit, admit, admit, admit, admit, refuse},
		core.OverlapCancelPrevious: {admit, cancel, cancel, cancel, cancel, cancel, cancel},
		core.OverlapAllow:          {admit, admit, admit, admit, admit, admit, admit},
		"":                         {admit, refuse, refuse, refuse, refuse, refuse, refuse},
	} {
		for i, active := range actives {
			t.Run(fmt.Sprintf("%s with %d running and %d waiting", policy, active.Running, active.Waiting), func(t *testing.T) {
				a := policy.Admit(active)
				require.Equal(t, want[i], answerOf(a))
				require.Equal(t, want[i] == refuse, a.Reason != "", "a refusal, and only that, has a reason")
			})
		}
	}
}

func TestOnlyAllowIsNotExclusive(t *testing.T) {
	for _, p := range []core.OverlapPolicy{core.OverlapSkip, core.OverlapQueue, core.OverlapQueueAll, core.OverlapCancelPrevious} {
		require.True(t, p.Exclusive(), p)
	}
	require.False(t, core.OverlapAllow.Exclusive())
}
