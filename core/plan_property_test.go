package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
)

// drawTiming makes a task that is due at most every minute.
func drawTiming(t *rapid.T) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) {
		if rapid.Bool().Draw(t, "recurring") {
			every(time.Duration(rapid.IntRange(60, 7200).Draw(t, "seconds")) * time.Second)(s)
		} else {
			cron(rapid.SampledFrom([]string{
				"* * * * *", "*/7 * * * *", "30 2 * * *", "0 9-17 * * MON-FRI", "H * * * *", "0 0 L * *", "15 H(0-5) * * *",
			}).Draw(t, "cron"))(s)
		}
		s.Timezone = rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/St_Johns"}).Draw(t, "zone")
		s.JitterMs = core.Millis(rapid.SampledFrom([]int{0, 0, 30_000, 3_600_000}).Draw(t, "jitter"))
		drawWindows(t, s)
	}
}

func drawWindows(t *rapid.T, s *core.TaskSpec) {
	if rapid.IntRange(0, 2).Draw(t, "windows") == 0 {
		s.ExecutionWindows = []schedule.Window{{Start: "08:00", End: "12:30"}, {Days: []string{"SAT"}, Start: "22:00", End: "02:00"}}
		s.OutsideWindow = rapid.SampledFrom([]schedule.Outside{schedule.OutsideDefer, schedule.OutsideSkip}).Draw(t, "outside")
	}
	if rapid.IntRange(0, 2).Draw(t, "calendar") == 0 {
		s.Calendars = []string{"closed"}
	}
}

func drawCalendars(t *rapid.T) core.CalendarSet {
	return core.CalendarSet{"closed": {
		Name: "closed", Weekdays: []string{"SUN"}, Dates: []string{"2026-03-03", "2026-03-05"},
		OnExcluded: rapid.SampledFrom([]schedule.OnExcluded{schedule.ExcludedSkip, schedule.ExcludedNext, schedule.ExcludedPrevious}).Draw(t, "excluded"),
	}}
}

func drawPolicy(t *rapid.T) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) {
		misfire(drawMisfirePolicy(t), time.Duration(rapid.IntRange(0, 4*3600).Draw(t, "window"))*time.Second)(s)
		s.Overlap = rapid.SampledFrom([]core.OverlapPolicy{
			core.OverlapSkip, core.OverlapQueue, core.OverlapQueueAll, core.OverlapCancelPrevious, core.OverlapAllow,
		}).Draw(t, "overlap")
	}
}

// drawStep is mostly short, so that punctual planning is seen too, and
// sometimes days.
func drawStep(t *rapid.T) time.Duration {
	most := rapid.SampledFrom([]time.Duration{time.Minute, time.Minute, time.Hour, 5 * time.Hour, 60 * time.Hour}).Draw(t, "most")
	return time.Duration(rapid.Int64Range(1, int64(most)).Draw(t, "step"))
}

// TestNoDueTimeIsForgottenOrDoubled moves the clock by random steps. Whatever
// they are, every nominal time that has come ends in exactly one execution,
// oldest first, and what is planned later is still to come.
func TestNoDueTimeIsForgottenOrDoubled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := armAny(t, drawTiming(t), drawPolicy(t))
		expected := newExpectation(t, p)
		now := coretest.Epoch()
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			now = now.Add(drawStep(t))
			planned := p.at(now)
			expected.consume(planned, now)
			requireMisfirePolicy(t, p.task, planned)
			p.active = core.Active{Running: rapid.IntRange(0, 1).Draw(t, "running"), Waiting: rapid.IntRange(0, 2).Draw(t, "waiting")}
		}
	})
}

// armAny creates a task of a drawn spec and id; H and jitter are drawn from the
// id. A task that can never fire is not looked at.
func armAny(t *rapid.T, opts ...func(*core.TaskSpec)) *planner {
	calendars := drawCalendars(t)
	id := fmt.Sprint("task ", rapid.IntRange(0, 1000).Draw(t, "id"))
	task, err := armed(calendars, func(t *core.Task) { t.ID = id }, opts...)
	if core.CodeOf(err) == core.CodeInvalidSchedule {
		t.Skip("never fires")
	}
	require.NoError(t, err)
	return &planner{t: t, timetable: core.Timetable{MinInterval: time.Second}, task: task, calendars: calendars}
}

// requireMisfirePolicy demands that one look at the clock starts no more than
// the policy allows, and nothing from beyond the window.
func requireMisfirePolicy(t *rapid.T, task core.Task, planned []core.Execution) {
	runs := withStatus(planned, core.StatusPending)
	if task.Misfire.Policy == core.MisfireLatest {
		require.LessOrEqual(t, len(runs), 1)
	}
	for _, e := range runs {
		require.LessOrEqual(t, e.CreatedAt.Sub(e.DueAt), max(5*time.Second, task.Misfire.WindowMs.Duration()))
		require.False(t, e.DueAt.After(e.CreatedAt), "planned before it is due")
	}
}

// expectation walks the occurrences that a rule itself yields.
type expectation struct {
	t    *rapid.T
	spec *schedule.Spec
	next schedule.Occurrence
	more bool
}

func newExpectation(t *rapid.T, p *planner) *expectation {
	spec, err := p.timetable.Compile(p.task, p.calendars)
	require.NoError(t, err)
	x := &expectation{t: t, spec: spec}
	x.next, x.more = spec.Next(coretest.Epoch())
	for x.more && x.next.At.Before(coretest.Epoch()) { // moved back to before the task was created
		x.advance()
	}
	return x
}

func (x *expectation) advance() { x.next, x.more = x.spec.Next(x.next.Nominal) }

// consume demands that the executions stand for exactly the occurrences that
// have come due until now.
func (x *expectation) consume(planned []core.Execution, now time.Time) {
	slices.SortFunc(planned, func(a, b core.Execution) int { return a.NominalTime.Compare(b.NominalTime) })
	for _, e := range planned {
		if e.Error != nil && strings.Contains(*e.Error, "outside the execution windows") {
			continue // the bare rule asked for it; TestWhatWindowsDropIsRecorded looks at those
		}
		s := stretchOf(x.t, e)
		require.Equal(x.t, x.next.Nominal, s.From, "forgotten or doubled")
		for i := range s.Occurrences {
			require.True(x.t, x.more)
			require.False(x.t, x.next.At.After(now), "planned early")
			require.Equal(x.t, i == s.Occurrences-1, x.next.Nominal.Equal(s.To), "the range and its count differ")
			x.advance()
		}
	}
	require.True(x.t, !x.more || x.next.At.After(now), "%s is forgotten", x.next.Nominal)
}

// TestMaxRunsIsNeverExceeded counts under random steps and overlaps.
func TestMaxRunsIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "maxRuns")
		p := arm(t, nil, every(time.Minute), drawPolicy(t), runs(limit))
		now, ran := coretest.Epoch(), 0
		for range 20 {
			now = now.Add(drawStep(t))
			ran += len(withStatus(p.at(now), core.StatusPending))
			require.LessOrEqual(t, ran, limit)
			require.Equal(t, ran == limit, p.task.NextRun == nil)
			p.active = core.Active{Running: rapid.IntRange(0, 1).Draw(t, "running")}
		}
	})
}
