package coretest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) progress(t *testing.T) {
	s.run(t, "progress is shown until the execution ends", progressLasts)
	s.run(t, "the last word may come after the attempt", progressAfterTheAttempt)
	s.run(t, "a zombie's progress is not taken", progressOfZombie)
	s.run(t, "progress of nobody is no error", progressOfNobody)
	s.run(t, "a checkpoint is for the next attempt", checkpointResumes)
	s.run(t, "a checkpoint is gone when the execution ends", checkpointEnds)
	s.run(t, "a zombie can neither write nor read a checkpoint", checkpointOfZombie)
	s.run(t, "checkpoints of executions are apart, and copies", checkpointsApart)
}

func progressOf(e core.Execution, percent float64, message string) core.ProgressReport {
	return core.ProgressReport{Lease: leaseOf(e), Progress: core.Progress{Percent: percent, Message: message, At: Epoch().Add(time.Second)}}
}

func (f *fixture) report(reports ...core.ProgressReport) {
	f.Helper()
	require.NoError(f, f.SaveProgress(f.Context(), reports))
}

// requireProgress compares what is shown of an execution, alone and in a list.
func (f *fixture) requireProgress(id string, want *core.Progress) {
	f.Helper()
	require.Equal(f, want, f.get(id).Progress)
	for _, filter := range []core.ExecutionFilter{{}, {From: new(Epoch().Add(-time.Hour))}} {
		list, err := f.Executions(f.Context(), filter, core.Page{Limit: 10})
		require.NoError(f, err)
		for _, e := range list {
			if e.ID == id {
				require.Equal(f, want, e.Progress)
			}
		}
	}
}

func progressLasts(f *fixture) {
	e, other := f.putRunning(), f.putRunning()
	f.requireProgress(e.ID, nil)
	first, second := progressOf(e, 12.5, "Größe \"1\" \\"), progressOf(e, 100, "")
	f.report(first, progressOf(other, 1, "other"))
	f.requireProgress(e.ID, &first.Progress)
	f.report(second)
	f.requireProgress(e.ID, &second.Progress)
	f.beat(testTTL, leaseOf(e))
	f.requireProgress(e.ID, &second.Progress)

	f.settle(e, retryLater)
	f.clock.Advance(time.Hour)
	f.requireProgress(e.ID, &second.Progress)
	again := f.start(f.get(e.ID))[0]
	f.requireProgress(e.ID, &second.Progress)
	require.Nil(f, f.settle(again, succeed).Progress)
	f.requireProgress(e.ID, nil)
	f.report(progressOf(again, 50, "too late"))
	f.requireProgress(e.ID, nil)
	require.Equal(f, "other", f.get(other.ID).Progress.Message)
}

func progressAfterTheAttempt(f *fixture) {
	e := f.putRunning()
	f.settle(e, retryLater)
	last := progressOf(e, 99, "last word")
	f.report(last)
	f.requireProgress(e.ID, &last.Progress)
}

func progressOfZombie(f *fixture) {
	zombie := f.putRunning()
	f.clock.Advance(time.Hour)
	f.reap(10, loseLease)
	heir := f.start(f.get(zombie.ID))[0]
	word := progressOf(heir, 1, "heir")
	f.report(word)
	f.report(progressOf(zombie, 99, "zombie"))
	f.requireProgress(heir.ID, &word.Progress)
}

func progressOfNobody(f *fixture) {
	f.report()
	f.report(core.ProgressReport{Lease: core.Lease{ExecutionID: core.NewID(), Token: 1}})
}

// checkpoint reads what an attempt finds, "" when there is nothing.
func (f *fixture) checkpoint(e core.Execution) string {
	f.Helper()
	value, err := f.Checkpoint(f.Context(), leaseOf(e))
	require.NoError(f, err)
	return string(compact(value))
}

func (f *fixture) saveCheckpoint(e core.Execution, value string) {
	f.Helper()
	require.NoError(f, f.SaveCheckpoint(f.Context(), leaseOf(e), json.RawMessage(value)))
}

func checkpointResumes(f *fixture) {
	e := f.putRunning()
	require.Empty(f, f.checkpoint(e))
	f.saveCheckpoint(e, `{"page":1}`)
	f.saveCheckpoint(e, `{"page":2,"text":"Größe \"\\ 👋"}`)
	require.JSONEq(f, `{"page":2,"text":"Größe \"\\ 👋"}`, f.checkpoint(e))

	for _, end := range []func(time.Time, *core.Execution){
		retryLater, loseLease, func(now time.Time, e *core.Execution) { e.HandBack(now) },
	} {
		f.settle(e, end)
		f.clock.Advance(time.Hour)
		e = f.start(f.get(e.ID))[0]
		require.JSONEq(f, `{"page":2,"text":"Größe \"\\ 👋"}`, f.checkpoint(e))
	}
	f.saveCheckpoint(e, `null`)
	require.Equal(f, `null`, f.checkpoint(e), "null is something")
}

func checkpointEnds(f *fixture) {
	e := f.putRunning()
	f.saveCheckpoint(e, `1`)
	f.settle(e, failForGood)
	_, err := f.Checkpoint(f.Context(), leaseOf(e))
	require.ErrorIs(f, err, core.ErrLeaseLost)
	again := f.start(f.put(f.getTask(e.TaskID)))[0]
	require.Empty(f, f.checkpoint(again), "another execution of the task")
	f.settle(again, succeed)
	retry, _, err := f.CreateExecution(f.Context(), f.retryOf(f.get(e.ID)), nil)
	require.NoError(f, err)
	require.Empty(f, f.checkpoint(f.start(retry)[0]), "a retry by hand begins from the beginning")
}

func checkpointOfZombie(f *fixture) {
	zombie := f.putRunning()
	f.clock.Advance(testTTL + time.Second)
	f.saveCheckpoint(zombie, `"not reaped yet"`) // as a heartbeat may still come
	f.reap(10, loseLease)
	refused := func() {
		f.Helper()
		require.ErrorIs(f, f.SaveCheckpoint(f.Context(), leaseOf(zombie), json.RawMessage(`"zombie"`)), core.ErrLeaseLost)
		_, err := f.Checkpoint(f.Context(), leaseOf(zombie))
		require.ErrorIs(f, err, core.ErrLeaseLost)
	}
	refused()
	heir := f.start(f.get(zombie.ID))[0]
	refused()
	require.Equal(f, `"not reaped yet"`, f.checkpoint(heir))
	zombie = core.Execution{ID: core.NewID(), Token: heir.Token}
	refused()
}

func checkpointsApart(f *fixture) {
	a, b := f.putRunning(), f.putRunning()
	value := []byte(`"aaa"`)
	require.NoError(f, f.SaveCheckpoint(f.Context(), leaseOf(a), value))
	value[1] = 'x'
	require.Equal(f, `"aaa"`, f.checkpoint(a))
	read, err := f.Checkpoint(f.Context(), leaseOf(a))
	require.NoError(f, err)
	read[1] = 'x'
	require.Equal(f, `"aaa"`, f.checkpoint(a))
	require.Empty(f, f.checkpoint(b))
}
