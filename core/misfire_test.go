package core_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
)

// overdue lists occurrences that came due so long before coretest.Epoch.
func overdue(ages ...time.Duration) []schedule.Occurrence {
	var all []schedule.Occurrence
	for _, age := range ages {
		at := coretest.Epoch().Add(-age)
		all = append(all, schedule.Occurrence{Nominal: at, At: at})
	}
	return all
}

func TestMisfirePolicies(t *testing.T) {
	const hour, grace, us = time.Hour, 5 * time.Second, time.Microsecond
	for _, tc := range []struct {
		name   string
		policy core.MisfirePolicy
		window time.Duration
		ages   []time.Duration
		missed int // how many of the oldest
	}{
		{"latest, none due", core.MisfireLatest, hour, nil, 0},
		{"latest, one on time", core.MisfireLatest, hour, []time.Duration{0}, 0},
		{"latest, one late", core.MisfireLatest, hour, []time.Duration{hour - us}, 0},
		{"latest, one at the edge of the window", core.MisfireLatest, hour, []time.Duration{hour}, 0},
		{"latest, one beyond the window", core.MisfireLatest, hour, []time.Duration{hour + us}, 1},
		{"latest, several", core.MisfireLatest, hour, []time.Duration{50 * time.Minute, 30 * time.Minute, time.Minute}, 2},
		{"latest, some beyond the window", core.MisfireLatest, hour, []time.Duration{3 * hour, 2 * hour, time.Minute}, 2},
		{"latest, two on time", core.MisfireLatest, hour, []time.Duration{time.Second, 0}, 1},
		{"all, several", core.MisfireAll, hour, []time.Duration{50 * time.Minute, 30 * time.Minute, 0}, 0},
		{"all, some beyond the window", core.MisfireAll, hour, []time.Duration{2 * hour, hour + us, hour, 0}, 2},
		{"all, no window: the grace counts", core.MisfireAll, 0, []time.Duration{grace + us, grace, 0}, 1},
		{"latest, no window: the grace counts", core.MisfireLatest, 0, []time.Duration{grace}, 0},
		{"skip, on time", core.MisfireSkip, hour, []time.Duration{0}, 0},
		{"skip, at the edge of the grace", core.MisfireSkip, hour, []time.Duration{grace}, 0},
		{"skip, beyond the grace", core.MisfireSkip, hour, []time.Duration{grace + us}, 1},
		{"skip, some within the grace", core.MisfireSkip, hour, []time.Duration{hour, time.Minute, 3 * time.Second, 0}, 2},
		{"skip, a window below the grace", core.MisfireSkip, time.Second, []time.Duration{grace, 0}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := overdue(tc.ages...)
			run, missed := core.Misfire{Policy: tc.policy, WindowMs: core.MillisOf(tc.window)}.Split(coretest.Epoch(), all)
			require.Len(t, missed, tc.missed)
			require.Equal(t, all, slices.Concat(missed, run))
		})
	}
}

func TestSplitLosesAndReordersNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := core.Misfire{Policy: drawMisfirePolicy(t), WindowMs: core.Millis(rapid.Int64Range(0, 7_200_000).Draw(t, "window"))}
		ages := rapid.SliceOfN(rapid.Int64Range(0, int64(3*time.Hour)), 0, 30).Draw(t, "ages")
		slices.SortFunc(ages, func(a, b int64) int { return int(b - a) })
		var all []schedule.Occurrence
		for _, age := range ages {
			all = append(all, overdue(time.Duration(age))...)
		}
		run, missed := m.Split(coretest.Epoch(), all)
		require.Equal(t, all, slices.Concat(missed, run))
		for _, o := range run {
			require.LessOrEqual(t, coretest.Epoch().Sub(o.At), max(m.WindowMs.Duration(), 5*time.Second))
		}
		if m.Policy == core.MisfireLatest {
			require.LessOrEqual(t, len(run), 1)
		}
	})
}

func drawMisfirePolicy(t *rapid.T) core.MisfirePolicy {
	return rapid.SampledFrom([]core.MisfirePolicy{core.MisfireLatest, core.MisfireAll, core.MisfireSkip}).Draw(t, "misfire")
}
