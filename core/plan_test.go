package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

func TestAPunctualOccurrenceIsPlanned(t *testing.T) {
	p := arm(t, nil, every(time.Minute))
	all := p.at(later(time.Minute))
	require.Len(t, all, 1)
	e := all[0]
	require.Equal(t, core.StatusPending, e.Status)
	require.Equal(t, core.TriggerSchedule, e.Trigger)
	require.Equal(t, later(time.Minute), e.NominalTime)
	require.Equal(t, later(time.Minute), e.DueAt)
	require.Equal(t, p.task.ID, e.TaskID)
	require.Equal(t, p.task.Policy, e.Policy)
	require.Equal(t, later(2*time.Minute), *p.task.NextRun)
	require.Equal(t, later(2*time.Minute), *p.task.Plan.NextNominal)
	require.Equal(t, later(time.Minute), *p.task.Plan.LastNominal)
	require.Equal(t, 1, p.task.Plan.Runs)
	require.Empty(t, p.at(later(time.Minute)), "nothing is planned twice")
}

func TestATaskThatIsNotDueYetIsLeftAlone(t *testing.T) {
	p := arm(t, nil, every(time.Minute))
	before := p.task
	require.Empty(t, p.step(later(time.Minute-time.Microsecond)))
	require.Equal(t, before, p.task)
}

func TestAnIntervalDoesNotDrift(t *testing.T) {
	p := arm(t, nil, every(time.Minute))
	for n := 1; n <= 50; n++ {
		all := p.at(later(time.Duration(n)*time.Minute + 1234*time.Millisecond))
		require.Equal(t, []time.Time{later(time.Duration(n) * time.Minute)}, nominalsOf(all))
		p.active = core.Active{}
	}
}

func TestOnceEnds(t *testing.T) {
	p := arm(t, nil, once(later(time.Minute)))
	require.Len(t, withStatus(p.at(later(10*time.Minute)), core.StatusPending), 1)
	require.Nil(t, p.task.NextRun)
	require.Nil(t, p.task.Plan.NextNominal)

	p = arm(t, nil, once(later(time.Minute)))
	missed := p.at(later(2 * time.Hour))
	require.Len(t, missed, 1)
	require.Equal(t, core.StatusMissed, missed[0].Status)
	require.Contains(t, *missed[0].Error, "catch-up window of 1h")
	require.Nil(t, p.task.NextRun)
}

func TestTheEndIsIncluded(t *testing.T) {
	p := arm(t, nil, every(time.Minute), until(later(3*time.Minute)), misfire(core.MisfireAll, time.Hour), overlap(core.OverlapAllow))
	require.Len(t, p.at(later(10*time.Minute)), 3)
	require.Nil(t, p.task.NextRun)
}

func TestMaxRunsCountsWhatRuns(t *testing.T) {
	p := arm(t, nil, every(time.Minute), runs(3), misfire(core.MisfireLatest, time.Hour))
	require.Equal(t, []core.Status{core.StatusMissed, core.StatusMissed, core.StatusPending}, statusesOf(p.at(later(3*time.Minute))))
	require.Equal(t, []core.Status{core.StatusSkipped}, statusesOf(p.at(later(4*time.Minute))), "the first one is still active")
	require.Equal(t, 1, p.task.Plan.Runs, "missed and skipped ones do not count")
	for _, minute := range []time.Duration{5, 6} {
		p.active = core.Active{}
		require.Equal(t, []core.Status{core.StatusPending}, statusesOf(p.at(later(minute*time.Minute))))
	}
	require.Nil(t, p.task.NextRun)
	require.Equal(t, 3, p.task.Plan.Runs)
}

func TestMaxRunsBoundsOneCatchUp(t *testing.T) {
	p := arm(t, nil, every(time.Minute), runs(2), misfire(core.MisfireAll, time.Hour), overlap(core.OverlapAllow))
	all := p.at(later(10 * time.Minute))
	require.Equal(t, []time.Time{later(time.Minute), later(2 * time.Minute)}, nominalsOf(all))
	require.Nil(t, p.task.NextRun)
}

func TestCatchUpByPolicy(t *testing.T) {
	const missed, runs, skipped = core.StatusMissed, core.StatusPending, core.StatusSkipped
	for _, tc := range []struct {
		name    string
		misfire core.MisfirePolicy
		overlap core.OverlapPolicy
		window  time.Duration
		want    []core.Status // of four occurrences, 180, 120, 60 and 0 seconds ago
	}{
		{"latest", core.MisfireLatest, core.OverlapSkip, time.Hour, []core.Status{missed, missed, missed, runs}},
		{"skip", core.MisfireSkip, core.OverlapSkip, time.Hour, []core.Status{missed, missed, missed, runs}},
		{"all side by side", core.MisfireAll, core.OverlapAllow, time.Hour, []core.Status{runs, runs, runs, runs}},
		{"all in a row", core.MisfireAll, core.OverlapQueueAll, time.Hour, []core.Status{runs, runs, runs, runs}},
		{"all, one may wait", core.MisfireAll, core.OverlapQueue, time.Hour, []core.Status{runs, skipped, skipped, skipped}},
		{"all without overlap", core.MisfireAll, core.OverlapSkip, time.Hour, []core.Status{runs, skipped, skipped, skipped}},
		{"all that replace each other", core.MisfireAll, core.OverlapCancelPrevious, time.Hour, []core.Status{runs, skipped, skipped, runs}},
		{"all within a window", core.MisfireAll, core.OverlapAllow, 2 * time.Minute, []core.Status{missed, runs, runs, runs}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := arm(t, nil, every(time.Minute), misfire(tc.misfire, tc.window), overlap(tc.overlap))
			all := p.at(later(4 * time.Minute))
			require.Equal(t, tc.want, statusesOf(all))
			require.Equal(t, []time.Time{later(time.Minute), later(2 * time.Minute), later(3 * time.Minute), later(4 * time.Minute)}, nominalsOf(all))
			requireReasons(t, all)
		})
	}
}

// requireReasons demands that what does not run says why.
func requireReasons(t *testing.T, all []core.Execution) {
	t.Helper()
	for _, e := range all {
		require.Equal(t, e.Status.Final(), e.Error != nil)
		require.Equal(t, e.Status.Final(), e.EndTime != nil)
	}
}

func TestASkippedOccurrenceNamesThePolicy(t *testing.T) {
	p := arm(t, nil, every(time.Minute))
	p.active.Running = 1
	all := p.at(later(time.Minute))
	require.Equal(t, []core.Status{core.StatusSkipped}, statusesOf(all))
	require.Equal(t, "overlap policy skip: the previous execution has not ended", *all[0].Error)
}

func TestMissedOccurrencesSayWhy(t *testing.T) {
	for _, tc := range []struct {
		policy core.MisfirePolicy
		window time.Duration
		reason string
	}{
		{core.MisfireLatest, time.Hour, "a later occurrence runs instead (misfire policy latest)"},
		{core.MisfireAll, 30 * time.Second, "came due 1m0s ago, beyond the catch-up window of 30s"},
		{core.MisfireSkip, time.Hour, "came due 1m0s ago and the misfire policy is skip"},
	} {
		p := arm(t, nil, every(time.Minute), misfire(tc.policy, tc.window))
		missed := withStatus(p.at(later(2*time.Minute)), core.StatusMissed)
		require.Len(t, missed, 1)
		require.Equal(t, tc.reason, *missed[0].Error)
	}
}

// TestOnlyWhatIsGoneIsAnAlert: what a later occurrence replaces is no accident.
func TestOnlyWhatIsGoneIsAnAlert(t *testing.T) {
	for _, tc := range []struct {
		name     string
		policy   core.MisfirePolicy
		window   time.Duration
		missed   int
		replaced int
		alert    string // part of its text; "" is none
	}{
		{"replaced", core.MisfireLatest, time.Hour, 4, 4, ""},
		{"beyond the window and replaced", core.MisfireLatest, 150 * time.Second, 4, 2, "missed 2 occurrences from 2026-03-02T10:01:00Z to 2026-03-02T10:02:00Z"},
		{"skipped", core.MisfireSkip, time.Hour, 4, 0, "missed 4 occurrences"},
		{"beyond the window of all", core.MisfireAll, 150 * time.Second, 2, 0, "missed 2 occurrences"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := arm(t, nil, every(time.Minute), misfire(tc.policy, tc.window), overlap(core.OverlapAllow),
				func(s *core.TaskSpec) { s.Alerts.Missed = true })
			missed := withStatus(p.at(later(5*time.Minute)), core.StatusMissed)
			require.Len(t, missed, tc.missed)
			replaced := 0
			for _, e := range missed {
				if e.ErrorCode != nil {
					require.Equal(t, core.CodeReplaced, *e.ErrorCode)
					replaced++
				}
			}
			require.Equal(t, tc.replaced, replaced)
			if tc.alert != "" {
				require.Contains(t, alertOf(t, missed...), tc.alert)
				return
			}
			for _, m := range core.MessagesOf(missed, later(5*time.Minute)) {
				require.Equal(t, core.MessageEvent, m.Kind)
			}
		})
	}
}

func TestALongStretchDoesNotMixWhatIsGoneWithWhatIsReplaced(t *testing.T) {
	p := arm(t, nil, every(time.Minute), misfire(core.MisfireLatest, 150*time.Minute))
	missed := withStatus(p.at(later(400*time.Minute)), core.StatusMissed)
	require.Len(t, missed, 2)
	require.Nil(t, missed[0].ErrorCode)
	require.Equal(t, stretch{249, later(time.Minute), later(249 * time.Minute)}, stretchOf(t, missed[0]))
	require.Equal(t, core.CodeReplaced, *missed[1].ErrorCode)
	require.Equal(t, stretch{150, later(250 * time.Minute), later(399 * time.Minute)}, stretchOf(t, missed[1]))
}

func TestTheLatestReplacesThePreviousOnesWithinOneStep(t *testing.T) {
	p := arm(t, nil, every(time.Minute), misfire(core.MisfireAll, time.Hour), overlap(core.OverlapCancelPrevious))
	p.active.Running = 1
	all := p.at(later(3 * time.Minute))
	require.Equal(t, []core.Status{core.StatusSkipped, core.StatusSkipped, core.StatusPending}, statusesOf(all))
	require.Contains(t, *all[0].Error, "replaced by the next occurrence")
	require.True(t, p.cancelled, "what ran before is cancelled")
	require.Equal(t, 1, p.task.Plan.Runs)
}

func TestUpToAHundredMissedOccurrencesHaveARowEach(t *testing.T) {
	p := arm(t, nil, every(time.Minute))
	all := p.at(later(101 * time.Minute))
	require.Len(t, withStatus(all, core.StatusMissed), 100)
	require.Len(t, all, 101)
}

func TestMoreMissedOccurrencesAreOneRow(t *testing.T) {
	p := arm(t, nil, every(time.Minute), misfire(core.MisfireLatest, 24*time.Hour))
	all := p.at(later(102 * time.Minute))
	require.Equal(t, []core.Status{core.StatusMissed, core.StatusPending}, statusesOf(all))
	require.Equal(t, stretch{101, later(time.Minute), later(101 * time.Minute)}, stretchOf(t, all[0]))
	require.Equal(t, later(time.Minute), all[0].NominalTime)
	require.Contains(t, *all[0].Error, "101 occurrences up to "+later(101*time.Minute).Format(time.RFC3339))
	require.Equal(t, later(102*time.Minute), all[1].NominalTime)
}

func TestVeryManyOverdueOccurrencesAreDealtWithInSteps(t *testing.T) {
	p := arm(t, nil, every(time.Second), misfire(core.MisfireSkip, time.Hour))
	all := p.at(later(25_000 * time.Second))
	require.Equal(t, 3, p.steps)
	count, end := 0, coretest.Epoch()
	for _, e := range all {
		s := stretchOf(t, e)
		require.Equal(t, end.Add(time.Second), s.From, "a gap or a repetition")
		count, end = count+s.Occurrences, s.To
	}
	require.Equal(t, 25_000, count)
	require.Equal(t, later(25_000*time.Second), end)
	require.Equal(t, later(25_001*time.Second), *p.task.NextRun)
}

func TestTheLatestOfVeryManyIsTheLatestOfAll(t *testing.T) {
	for _, policy := range []core.OverlapPolicy{core.OverlapSkip, core.OverlapAllow, core.OverlapCancelPrevious} {
		p := arm(t, nil, every(time.Second), misfire(core.MisfireLatest, 24*time.Hour), overlap(policy))
		ran := withStatus(p.at(later(25_000*time.Second)), core.StatusPending)
		require.Equal(t, []time.Time{later(25_000 * time.Second)}, nominalsOf(ran), "overlap policy %s", policy)
	}
}

func TestARuleThatCannotBeComputedIsAnError(t *testing.T) {
	p := arm(t, nil, cron("0 * * * *"))
	p.task.Timezone = "Mars/Olympus"
	_, err := p.timetable.PlanTask(later(time.Hour), core.DueTask{Task: p.task})
	requireFields(t, core.CodeInvalidSchedule, []string{"/timezone"}, err)
}

func overlap(p core.OverlapPolicy) func(*core.TaskSpec) { return coretest.Overlap(p) }

func statusesOf(all []core.Execution) []core.Status {
	var s []core.Status
	for _, e := range all {
		s = append(s, e.Status)
	}
	return s
}
