package coretest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) contexts(t *testing.T) {
	s.run(t, "a caller that has given up gets an error and changes nothing", givenUp)
}

func givenUp(f *fixture) {
	sc := f.putSchedule()
	task := f.putDueTask(Epoch(), using(sc), Overlap(core.OverlapAllow))
	expired, pending, finished := f.start(f.put(task))[0], f.put(task), f.putFinished(task)
	f.clock.Advance(time.Hour)
	running := f.start(f.put(task))[0]
	task = f.getTask(task.ID)

	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	for name, call := range f.calls(ctx, sc, task, running, pending) {
		require.Error(f, call(), "%s with an ended context", name)
	}

	requireSameTask(f, task, f.getTask(task.ID))
	for _, e := range []core.Execution{expired, running, pending, finished} {
		requireSameExecution(f, e, f.get(e.ID))
	}
	require.Len(f, f.listTasks(core.TaskFilter{}, core.Page{Limit: 10}), 1)
	require.Len(f, f.list(core.ExecutionFilter{}, core.Page{Limit: 10}), 4)
	got, err := f.Schedule(f.Context(), sc.ID)
	require.NoError(f, err)
	require.Equal(f, sc, got)
}

// calls returns every operation of a store, by name, ready to be called.
func (f *fixture) calls(ctx context.Context, sc core.Schedule, task core.Task, running, pending core.Execution) map[string]func() error {
	page, key := core.Page{Limit: 10}, &core.Idempotency{Key: "k", Fingerprint: "a"}
	return map[string]func() error{
		"CreateTask":     func() error { _, err := f.CreateTask(ctx, Task(), key); return err },
		"Task":           func() error { _, err := f.Task(ctx, task.ID); return err },
		"UpdateTask":     func() error { _, err := f.UpdateTask(ctx, task.ID, core.AnyVersion, rename("x")); return err },
		"DeleteTask":     func() error { _, err := f.DeleteTask(ctx, task.ID, core.AnyVersion); return err },
		"Tasks":          func() error { _, err := f.Tasks(ctx, core.TaskFilter{}, page); return err },
		"CreateSchedule": func() error { _, err := f.CreateSchedule(ctx, Schedule(), key); return err },
		"Schedule":       func() error { _, err := f.Schedule(ctx, sc.ID); return err },
		"UpdateSchedule": func() error {
			_, err := f.UpdateSchedule(ctx, sc.ID, core.AnyVersion, keepSchedule, keepTask)
			return err
		},
		"DeleteSchedule":  func() error { return f.DeleteSchedule(ctx, sc.ID, core.AnyVersion) },
		"Schedules":       func() error { _, err := f.Schedules(ctx, page); return err },
		"PlanDue":         func() error { _, err := f.PlanDue(ctx, 10, planNothing); return err },
		"CreateExecution": func() error { _, _, err := f.CreateExecution(ctx, Execution(task), key); return err },
		"Execution":       func() error { _, err := f.Execution(ctx, pending.ID); return err },
		"Executions":      func() error { _, err := f.Executions(ctx, core.ExecutionFilter{}, page); return err },
		"ExecutionLogs":   func() error { _, err := f.ExecutionLogs(ctx, pending.ID); return err },
		"Cancel":          func() error { _, err := f.Cancel(ctx, core.Cancellation{TaskID: task.ID}); return err },
		"Ready":           func() error { _, err := f.Ready(ctx, 10, nil); return err },
		"MarkQueued":      func() error { _, err := f.MarkQueued(ctx, []core.QueueMark{{ID: pending.ID}}); return err },
		"Claim":           func() error { _, err := f.Claim(ctx, []string{pending.ID}, testOwner, testTTL); return err },
		"Heartbeat":       func() error { _, err := f.Heartbeat(ctx, []core.Lease{leaseOf(running)}, time.Hour); return err },
		"SaveProgress":    func() error { return f.SaveProgress(ctx, []core.ProgressReport{progressOf(running, 1, "")}) },
		"SaveCheckpoint":  func() error { return f.SaveCheckpoint(ctx, leaseOf(running), []byte(`1`)) },
		"Checkpoint":      func() error { _, err := f.Checkpoint(ctx, leaseOf(running)); return err },
		"Finish":          func() error { _, err := f.Finish(ctx, []core.Completion{completion(running, succeed)}); return err },
		"Reap":            func() error { _, err := f.Reap(ctx, 10, loseLease); return err },
		"Prune":           func() error { _, err := f.Prune(ctx, core.Retention{History: time.Minute}, 10); return err },
		"PruneOlder": func() error {
			_, err := f.PruneOlder(ctx, core.Pruning{Target: core.PruneHistory, OlderThan: time.Minute}, 10)
			return err
		},
		"Stats": func() error { _, err := f.Stats(ctx); return err },
		"Ping":  func() error { return f.Ping(ctx) },
	}
}
