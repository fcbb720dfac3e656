package core_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
)

// TestWhatWindowsDropIsRecorded plans a task whose rule asks for more than its
// window lets through: each nominal time ends as an execution or as a record.
func TestWhatWindowsDropIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		interval time.Duration
		rows     int // records of what was dropped
		dropped  int // occurrences they stand for
	}{
		"a row each":              {time.Hour, 16, 16},
		"one row for the stretch": {time.Minute, 1, 960},
	} {
		t.Run(name, func(t *testing.T) {
			start := coretest.Epoch().Add(7 * time.Hour) // 17:00, when the window closes
			task := coretest.Task(func(s *core.TaskSpec) {
				s.ScheduleType, s.IntervalMs, s.StartAt = core.ScheduleRecurring, core.MillisOf(c.interval), &start
				s.ExecutionWindows = []schedule.Window{{Start: "09:00", End: "17:00"}}
				s.OutsideWindow = schedule.OutsideSkip
			})
			tt := core.Timetable{MinInterval: time.Second}
			task, err := tt.Arm(task, nil, coretest.Epoch())
			require.NoError(t, err)
			now := *task.NextRun // 09:00 on the next day
			require.Equal(t, start.Add(16*time.Hour), now)
			plan, err := tt.PlanTask(now, core.DueTask{Task: task})
			require.NoError(t, err)
			require.Len(t, withStatus(plan.Executions, core.StatusPending), 1)
			records := withStatus(plan.Executions, core.StatusSkipped)
			require.Len(t, records, c.rows)
			dropped := 0
			for _, e := range records {
				require.Contains(t, *e.Error, "outside the execution windows")
				dropped += stretchOf(t, e).Occurrences
			}
			require.Equal(t, c.dropped, dropped)

			next, err := tt.PlanTask(now.Add(c.interval), core.DueTask{Task: applied(task, plan)})
			require.NoError(t, err)
			require.Empty(t, withStatus(next.Executions, core.StatusSkipped), "recorded once")
		})
	}
}

// applied is the task as a store leaves it after a plan.
func applied(t core.Task, p core.Plan) core.Task {
	t.NextRun, t.Plan = p.NextRun, p.State
	return t
}
