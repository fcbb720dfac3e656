package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestStore proves that a store keeps the contract of core.Store. open returns
// an empty store whose only source of time is the clock; the store is closed by
// t.Cleanup. The tests run in parallel, each with a store of its own.
func TestStore(t *testing.T, open func(t testing.TB, clock core.Clock) core.Store) {
	s := storeSuite{open: open}
	t.Run("Tasks", s.tasks)
	t.Run("TaskLists", s.taskLists)
	t.Run("Schedules", s.schedules)
	t.Run("Calendars", s.calendars)
	t.Run("Basis", s.basis)
	t.Run("Idempotency", s.idempotency)
	t.Run("Plan", s.plan)
	t.Run("Backfill", s.backfills)
	t.Run("PlanConcurrently", s.planConcurrently)
	t.Run("Create", s.create)
	t.Run("ExecutionLists", s.executionLists)
	t.Run("Cancel", s.cancel)
	t.Run("Ready", s.ready)
	t.Run("MarkQueued", s.markQueued)
	t.Run("Claim", s.claim)
	t.Run("ClaimConcurrently", s.claimConcurrently)
	t.Run("Finish", s.finish)
	t.Run("Follow", s.follow)
	t.Run("Dependencies", s.dependencies)
	t.Run("Outbox", s.outbox)
	t.Run("Late", s.late)
	t.Run("Linearizable", func(t *testing.T) { t.Parallel(); TestLinearizable(t, open) })
	t.Run("Leases", s.leases)
	t.Run("Nodes", s.nodes)
	t.Run("Effects", s.effects)
	t.Run("Progress", s.progress)
	t.Run("Maintenance", s.maintenance)
	t.Run("Pruning", s.pruning)
	t.Run("Context", s.contexts)
}

// storeSuite runs behaviours, each against a store of its own.
type storeSuite struct {
	open func(t testing.TB, clock core.Clock) core.Store
}

// run proves one behaviour.
func (s storeSuite) run(t *testing.T, behaviour string, prove func(f *fixture)) {
	t.Run(behaviour, func(t *testing.T) {
		t.Parallel()
		clock := NewClock(t)
		prove(&fixture{TB: t, Store: s.open(t, clock), clock: clock})
	})
}

// fixture is a store under test, with short forms of what tests do all the
// time. A short form fails the test when the store returns an error.
type fixture struct {
	testing.TB
	core.Store
	clock *Clock
}

const (
	testOwner = "node-a"
	testTTL   = 10 * time.Second
)

// putTask stores a task.
func (f *fixture) putTask(opts ...func(*core.TaskSpec)) core.Task {
	f.Helper()
	return f.putBuiltTask(Task(opts...))
}

// putDueTask stores a task that is due at an instant.
func (f *fixture) putDueTask(at time.Time, opts ...func(*core.TaskSpec)) core.Task {
	f.Helper()
	return f.putBuiltTask(DueAt(Task(opts...), at))
}

func (f *fixture) putBuiltTask(t core.Task) core.Task {
	f.Helper()
	stored, err := f.CreateTask(f.Context(), t, nil)
	require.NoError(f, err)
	return stored
}

// put stores a pending execution of a task.
func (f *fixture) put(t core.Task, opts ...func(*core.Execution)) core.Execution {
	f.Helper()
	e, running, err := f.CreateExecution(f.Context(), Execution(t, opts...), nil)
	require.NoError(f, err)
	require.Empty(f, running)
	return e
}

// putFree stores a pending execution of a task of its own, held by no gate.
func (f *fixture) putFree(opts ...func(*core.Execution)) core.Execution {
	f.Helper()
	return f.put(f.putTask(), opts...)
}

// start claims executions; all of them must be claimed.
func (f *fixture) start(es ...core.Execution) []core.Execution {
	f.Helper()
	claimed, err := f.Claim(f.Context(), idsOf(es), testOwner, testTTL)
	require.NoError(f, err)
	require.ElementsMatch(f, idsOf(es), idsOf(claimed))
	return claimed
}

// putRunning stores and claims an execution of a task of its own.
func (f *fixture) putRunning() core.Execution {
	f.Helper()
	return f.start(f.putFree())[0]
}

// settle finishes a running execution; it must be applied.
func (f *fixture) settle(e core.Execution, settle func(now time.Time, e *core.Execution)) core.Execution {
	f.Helper()
	done, err := f.Finish(f.Context(), []core.Completion{completion(e, settle)})
	require.NoError(f, err)
	require.Len(f, done, 1)
	require.True(f, done[0].Applied, "the lease of %s was not held", e.ID)
	return done[0].Execution
}

// putFinished stores an execution of a task and lets it succeed.
func (f *fixture) putFinished(t core.Task) core.Execution {
	f.Helper()
	return f.settle(f.start(f.put(t))[0], succeed)
}

// get reads an execution.
func (f *fixture) get(id string) core.Execution {
	f.Helper()
	e, err := f.Execution(f.Context(), id)
	require.NoError(f, err)
	return e
}

// getTask reads a task.
func (f *fixture) getTask(id string) core.Task {
	f.Helper()
	t, err := f.Task(f.Context(), id)
	require.NoError(f, err)
	return t
}

// mark marks executions as queued; all of them must be marked.
func (f *fixture) mark(es ...core.Execution) {
	f.Helper()
	marks := make([]core.QueueMark, len(es))
	for i, e := range es {
		marks[i].ID = e.ID
	}
	marked, err := f.MarkQueued(f.Context(), marks)
	require.NoError(f, err)
	require.ElementsMatch(f, idsOf(es), marked)
}

// look asks what is ready.
func (f *fixture) look(limit int) core.ReadyReport {
	f.Helper()
	report, err := f.Ready(f.Context(), limit, nil)
	require.NoError(f, err)
	return report
}

// planDue plans due tasks.
func (f *fixture) planDue(limit int, decide func(now time.Time, d core.DueTask) core.Plan) core.PlanReport {
	f.Helper()
	report, err := f.PlanDue(f.Context(), limit, decide)
	require.NoError(f, err)
	return report
}

// requireCode fails unless err is a *core.Error with the code.
func requireCode(t testing.TB, code core.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, core.CodeOf(err), "the error is %v", err)
}

func completion(e core.Execution, settle func(now time.Time, e *core.Execution)) core.Completion {
	return core.Completion{
		Lease:   leaseOf(e),
		Claimed: &e,
		Log:     core.AttemptLog{Attempt: e.Attempt},
		Settle:  settle,
	}
}

func leaseOf(e core.Execution) core.Lease { return core.Lease{ExecutionID: e.ID, Token: e.Token} }

func succeed(now time.Time, e *core.Execution) {
	e.Succeed(core.Outcome{Result: []byte(`{"ok":true}`), Plugin: "test@1.0.0"}, now)
}

// retryLater ends an attempt such that another one follows.
func retryLater(now time.Time, e *core.Execution) {
	e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Message: "try again", Class: core.ClassRetryable}, "test@1.0.0", 0, now)
}

// failForGood ends an attempt such that none follows.
func failForGood(now time.Time, e *core.Execution) {
	e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Message: "no use", Class: core.ClassPermanent}, "test@1.0.0", 0, now)
}

func loseLease(now time.Time, e *core.Execution) { e.LoseLease(now) }

func idsOf(es []core.Execution) []string {
	ids := make([]string, len(es))
	for i, e := range es {
		ids[i] = e.ID
	}
	return ids
}

func taskIDsOf(ts []core.Task) []string {
	ids := make([]string, len(ts))
	for i, t := range ts {
		ids[i] = t.ID
	}
	return ids
}
