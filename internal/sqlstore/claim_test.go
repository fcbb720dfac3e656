package sqlstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

// A claim is one UPDATE that does what Start does, so the two must agree: on
// the first attempt and on a later one.
func TestAClaimIsAStart(t *testing.T) {
	s := openPlain(t)
	task, err := s.CreateTask(t.Context(), coretest.Task(), nil)
	require.NoError(t, err)
	want, _, err := s.CreateExecution(t.Context(), coretest.Execution(task), nil)
	require.NoError(t, err)
	now := coretest.Epoch()

	for attempt := 1; attempt <= 2; attempt++ {
		claimed, err := s.Claim(t.Context(), []string{want.ID}, "node-a", 10*time.Second)
		require.NoError(t, err)
		require.Len(t, claimed, 1)
		require.NoError(t, want.Start("node-a", claimed[0].Token, now, now.Add(10*time.Second)))
		require.Equal(t, want, claimed[0])

		done, err := s.Finish(t.Context(), []core.Completion{{
			Lease: core.Lease{ExecutionID: want.ID, Token: want.Token},
			Settle: func(now time.Time, e *core.Execution) {
				e.Fail(&core.Failure{Class: core.ClassRetryable, RetryAfter: time.Microsecond}, "p@1", 0, now)
				e.DueAt = now // the clock stands still
			},
		}})
		require.NoError(t, err)
		want = done[0].Execution
	}
}

// The index is the last line: it holds when the code that asks first is wrong.
func TestTheDatabaseRefusesTwoRunningOfAnExclusiveTask(t *testing.T) {
	s := openPlain(t)
	queue := func(spec *core.TaskSpec) { spec.Overlap = core.OverlapQueueAll }
	task, err := s.CreateTask(t.Context(), coretest.Task(queue), nil)
	require.NoError(t, err)
	for range 2 {
		_, _, err := s.CreateExecution(t.Context(), coretest.Execution(task), nil)
		require.NoError(t, err)
	}
	_, err = s.writer.Exec(`UPDATE executions SET status = 'running', token = 1, attempt = 1, lease_until = due_at`)
	require.ErrorContains(t, err, "UNIQUE")
}
