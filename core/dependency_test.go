package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestJudgeOneDependency rules about one dependency. The times are hours after
// Epoch; 0 is never.
func TestJudgeOneDependency(t *testing.T) {
	const open, wait, fail, skip = core.RulingOpen, core.RulingWait, core.RulingFail, core.RulingSkip
	for _, tc := range []struct {
		name              string
		now, since        int
		succeeded, failed int
		want              core.Ruling
	}{
		{"nothing has happened", 9, 5, 0, 0, wait},
		{"a success", 9, 5, 6, 0, open},
		{"a success that counted", 9, 5, 5, 0, wait},
		{"a failure", 9, 5, 0, 6, fail},
		{"a failure that counted", 9, 5, 0, 5, wait},
		{"a failure after a success", 9, 5, 6, 7, open},
		{"clock set back, nothing has happened", 4, 5, 0, 0, wait},
		{"clock set back, a success since", 4, 5, 3, 0, open},
		{"clock set back, a success that is yet to come", 4, 5, 5, 0, open},
		{"clock set back, a failure since", 4, 5, 2, 3, fail},
		{"clock set back, a success since a failure", 4, 5, 3, 2, open},
		{"clock set back, a success, and a failure that is yet to come", 4, 5, 3, 5, open},
		{"clock set back, failures only", 4, 5, 0, 5, fail},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := func(hour int) time.Time {
				if hour == 0 {
					return time.Time{}
				}
				return later(time.Duration(hour) * time.Hour)
			}
			for onFailure, failed := range map[core.DependencyFailure]core.Ruling{core.DependencyFails: fail, core.DependencySkips: skip, core.DependencyWaits: wait} {
				want := tc.want
				if want == fail {
					want = failed
				}
				p := core.DependencyPolicy{Condition: core.OnSuccess, OnFailure: onFailure}
				states := []core.DependencyState{{TaskID: "a", Name: "a", Succeeded: at(tc.succeeded), Failed: at(tc.failed)}}
				require.Equal(t, want, p.Judge(at(tc.now), at(tc.since), nil, states).Ruling, "on failure %s", onFailure)
			}
		})
	}
}
