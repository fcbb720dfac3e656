package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

func openEmpty(t *testing.T) *sqlstore.Store {
	t.Helper()
	return openStore(t, emptyDatabase(t), coretest.NewClock(t))
}

func TestErrorsNameTheThing(t *testing.T) {
	s := openEmpty(t)
	task, err := s.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)

	_, err = s.Task(t.Context(), "no-such-id")
	require.EqualError(t, err, "NOT_FOUND: task no-such-id does not exist")
	_, err = s.DeleteTask(t.Context(), task.ID, 7)
	require.EqualError(t, err, "PRECONDITION_FAILED: task "+task.ID+" is at version 1, not 7; read it again")

	_, err = s.CreateTask(t.Context(), task, nil)
	require.Equal(t, core.CodeConflict, core.CodeOf(err), "the same id again: %v", err)
	unknown := core.NewID()
	_, err = s.CreateTask(t.Context(), coretest.Task(func(spec *core.TaskSpec) { spec.ScheduleID = &unknown }), nil)
	require.Equal(t, core.CodeConflict, core.CodeOf(err), "an unknown schedule: %v", err)
}

// The engine compares next_run and would never come here; the database holds
// the promise if it does.
func TestAnOccurrenceThatIsLiveIsNotPlannedAgain(t *testing.T) {
	s := openEmpty(t)
	_, err := s.CreateTask(t.Context(), coretest.DueAt(coretest.Task(), coretest.Epoch()), nil)
	require.NoError(t, err)
	again := func(now time.Time, d core.DueTask) core.Plan {
		p := planOne(now, d)
		p.NextRun, p.State = d.Task.NextRun, d.Task.Plan
		return p
	}
	first, err := s.PlanDue(t.Context(), 10, again)
	require.NoError(t, err)
	require.Len(t, first.Planned, 1)
	second, err := s.PlanDue(t.Context(), 10, again)
	require.NoError(t, err)
	require.Equal(t, 1, second.Tasks)
	require.Empty(t, second.Planned)
}

func TestADecisionThatPanicsLeavesTheStoreUsable(t *testing.T) {
	s := openEmpty(t)
	_, err := s.CreateTask(t.Context(), coretest.DueAt(coretest.Task(), coretest.Epoch()), nil)
	require.NoError(t, err)
	require.Panics(t, func() {
		_, _ = s.PlanDue(t.Context(), 10, func(time.Time, core.DueTask) core.Plan { panic("defect") })
	})
	report, err := s.PlanDue(t.Context(), 10, planOne)
	require.NoError(t, err)
	require.Equal(t, 1, report.Tasks)
}

func TestNamesAndLabelsOfEveryAlphabetAreFound(t *testing.T) {
	s := openEmpty(t)
	labels := map[string]string{"1": "one", "42": "", "a.b/c-d_e": `"q' %`}
	task, err := s.CreateTask(t.Context(), coretest.Task(func(spec *core.TaskSpec) {
		spec.Name, spec.Labels = "НАПОМИНАНИЕ für Ömer", labels
	}), nil)
	require.NoError(t, err)
	find := func(f core.TaskFilter) int {
		t.Helper()
		found, err := s.Tasks(t.Context(), f, core.Page{Limit: 10})
		require.NoError(t, err)
		return len(found)
	}
	for _, query := range []string{"минание FÜR", "ömer"} {
		require.Equal(t, 1, find(core.TaskFilter{Query: query}), query)
	}
	for name, value := range task.Labels {
		require.Equal(t, 1, find(core.TaskFilter{Labels: map[string]string{name: value}}), name)
		require.Zero(t, find(core.TaskFilter{Labels: map[string]string{name: value + "x"}}), name)
	}
}

func TestLogsOfAnAttemptThatWasHandedBackAreOne(t *testing.T) {
	s := openEmpty(t)
	task, err := s.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)
	e, _, err := s.CreateExecution(t.Context(), coretest.Execution(task), nil)
	require.NoError(t, err)
	for i, settle := range []func(time.Time, *core.Execution){
		func(now time.Time, e *core.Execution) { e.HandBack(now) },
		func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{}, now) },
	} {
		claimed, err := s.Claim(t.Context(), []string{e.ID}, "node-a", time.Minute)
		require.NoError(t, err)
		_, err = s.Finish(t.Context(), []core.Completion{{
			Lease:  core.Lease{ExecutionID: e.ID, Token: claimed[0].Token},
			Log:    core.AttemptLog{Attempt: 1, Lines: []core.LogLine{{Message: []string{"first", "second"}[i]}}, Dropped: i + 1},
			Settle: settle,
		}})
		require.NoError(t, err)
	}
	logs, err := s.ExecutionLogs(t.Context(), e.ID)
	require.NoError(t, err)
	require.Len(t, logs, 1)
	require.Equal(t, 3, logs[0].Dropped)
	require.Equal(t, "first", logs[0].Lines[0].Message)
	require.Equal(t, "second", logs[0].Lines[1].Message)
}
