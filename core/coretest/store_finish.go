package coretest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) finish(t *testing.T) {
	s.run(t, "the end of an attempt is what settle makes of the stored state", finishSettles)
	s.run(t, "every field survives, live and in history", finishRoundTrip)
	s.run(t, "a zombie writes nothing", finishZombie)
	s.run(t, "an attempt ends once", finishTwice)
	s.run(t, "each completion of a batch is answered in its place", finishBatch)
	s.run(t, "what has changed since the claim counts, whether or not the worker brings the claim along", finishChanged)
	s.run(t, "a task's whole story is kept", finishStory)
	s.run(t, "logs are kept attempt by attempt", finishLogs)
	s.run(t, "an attempt that was handed back and begun anew has one log", finishLogsTwice)
	s.run(t, "whatever a plugin may bring is kept", finishExtremes)
	s.run(t, "concurrent ends of one attempt are applied once", finishConcurrently)
	s.run(t, "no completions, no work", finishNothing)
}

func finishSettles(f *fixture) {
	running := f.putRunning()
	f.cancelNow(core.Cancellation{ExecutionID: running.ID})
	now := f.clock.Advance(time.Second)

	var seen, want core.Execution
	got := f.settle(running, func(at time.Time, e *core.Execution) {
		require.Equal(f, now, at)
		seen = *e
		succeed(at, e)
		want = *e
	})
	stored := running
	stored.CancelRequested = true // the worker's copy is older than the store's state
	requireSameExecution(f, stored, seen)
	requireSameExecution(f, want, got)
	requireSameExecution(f, want, f.get(running.ID))
	require.Equal(f, core.StatusSucceeded, got.Status)
	require.Equal(f, core.Millis(1000), *got.Duration)
}

func finishRoundTrip(f *fixture) {
	for _, s := range []core.Status{core.StatusRetrying, core.StatusFailed} {
		running := f.start(f.putFull())[0]
		f.cancelNow(core.Cancellation{ExecutionID: running.ID})
		now := f.clock.Advance(time.Second)
		var want core.Execution
		got := f.settle(running, func(at time.Time, e *core.Execution) {
			fillAttempt(e, s, now)
			want = *e
		})
		requireFilled(f, want)
		requireSameExecution(f, want, got)
		requireSameExecution(f, want, f.get(running.ID))
		f.cancelNowIfLive(running.ID)
	}
}

// cancelNowIfLive frees the gates that an execution holds.
func (f *fixture) cancelNowIfLive(id string) {
	f.Helper()
	if !f.get(id).Status.Final() {
		f.cancelNow(core.Cancellation{ExecutionID: id})
	}
}

func finishZombie(f *fixture) {
	zombie := f.putRunning()
	f.clock.Advance(testTTL + time.Second)
	reaped, err := f.Reap(f.Context(), 10, loseLease)
	require.NoError(f, err)
	require.Len(f, reaped, 1)
	f.requireRefused(zombie, reaped[0])

	f.clock.Set(reaped[0].DueAt)
	heir := f.start(reaped[0])[0]
	require.Greater(f, heir.Token, zombie.Token)
	f.requireRefused(zombie, heir)
	f.requireRefused(zombie, f.settle(heir, succeed))
	f.requireRefused(core.Execution{ID: core.NewID(), Token: 1}, f.get(heir.ID))
}

// requireRefused lets a zombie write and fails unless the state stays.
func (f *fixture) requireRefused(zombie, stays core.Execution) {
	f.Helper()
	c := completion(zombie, failForGood)
	c.Log.Lines = []core.LogLine{{Time: Epoch(), Level: "info", Message: "from the grave"}}
	done, err := f.Finish(f.Context(), []core.Completion{c})
	require.NoError(f, err)
	require.Len(f, done, 1)
	require.False(f, done[0].Applied)
	requireSameExecution(f, stays, f.get(stays.ID))
	logs, err := f.ExecutionLogs(f.Context(), stays.ID)
	require.NoError(f, err)
	for _, l := range logs {
		require.Empty(f, l.Lines, "the log of a zombie was kept")
	}
}

func finishTwice(f *fixture) {
	running := f.putRunning()
	ended := f.settle(running, succeed)
	f.requireRefused(running, ended)

	running = f.putRunning()
	handedBack := f.settle(running, func(now time.Time, e *core.Execution) { e.HandBack(now) })
	require.Equal(f, core.StatusPending, handedBack.Status)
	f.requireRefused(running, handedBack)
}

// What the worker brings along is the execution as it was claimed. What has
// changed since is the store's to know, and so is all of it when it brings nothing.
func finishChanged(f *fixture) {
	for _, brought := range []bool{true, false} {
		running, other := f.putRunning(), f.putRunning()
		f.cancelNow(core.Cancellation{ExecutionID: running.ID})
		c, d := completion(running, retryLater), completion(other, retryLater)
		if !brought {
			c.Claimed, d.Claimed = nil, nil
		}
		done, err := f.Finish(f.Context(), []core.Completion{c, d})
		require.NoError(f, err)
		require.Equal(f, core.StatusCancelled, done[0].Execution.Status)
		require.True(f, done[0].Execution.CancelRequested)
		require.Equal(f, core.StatusRetrying, done[1].Execution.Status)
		requireSameExecution(f, done[0].Execution, f.get(running.ID))
		requireSameExecution(f, done[1].Execution, f.get(other.ID))
	}
}

func finishBatch(f *fixture) {
	a, b := f.putRunning(), f.putRunning()
	stranger := core.Execution{ID: core.NewID(), Token: a.Token}
	forged := b
	forged.Token = a.Token
	done, err := f.Finish(f.Context(), []core.Completion{
		completion(stranger, succeed), completion(b, succeed), completion(forged, failForGood), completion(a, retryLater),
	})
	require.NoError(f, err)
	require.Len(f, done, 4)
	require.Equal(f, []bool{false, true, false, true}, []bool{done[0].Applied, done[1].Applied, done[2].Applied, done[3].Applied})
	requireSameExecution(f, done[1].Execution, f.get(b.ID))
	requireSameExecution(f, done[3].Execution, f.get(a.ID))
	require.Equal(f, core.StatusSucceeded, done[1].Execution.Status)
	require.Equal(f, core.StatusRetrying, done[3].Execution.Status)
}

func finishStory(f *fixture) {
	e := f.settle(f.putRunning(), retryLater)
	f.clock.Set(e.DueAt)
	f.start(e)
	f.clock.Advance(testTTL + time.Second)
	reaped, err := f.Reap(f.Context(), 10, loseLease)
	require.NoError(f, err)
	f.clock.Set(reaped[0].DueAt)
	e = f.settle(f.start(reaped[0])[0], succeed)

	require.Equal(f, 3, e.Attempt)
	var ends []core.Status
	for i, a := range f.get(e.ID).Attempts {
		require.Equal(f, i+1, a.Number)
		ends = append(ends, a.Status)
	}
	require.Equal(f, []core.Status{core.StatusFailed, core.StatusLost, core.StatusSucceeded}, ends)
}

func finishLogs(f *fixture) {
	e := f.putRunning()
	logs, err := f.ExecutionLogs(f.Context(), e.ID)
	require.NoError(f, err)
	require.Empty(f, logs)

	want := []core.AttemptLog{
		{Attempt: 1, Dropped: 3, Lines: []core.LogLine{
			{Time: Epoch(), Level: "info", Message: "line \"1\"", Fields: map[string]any{"channel": "x", "live": true}},
			{Time: Epoch().Add(time.Millisecond), Level: "error", Message: "line 2"},
		}},
		{Attempt: 2, Lines: []core.LogLine{{Time: Epoch().Add(time.Second), Level: "debug", Message: "again"}}},
	}
	f.finishWithLog(e, want[0], retryLater)
	f.clock.Set(f.get(e.ID).DueAt)
	f.finishWithLog(f.start(f.get(e.ID))[0], want[1], succeed)
	logs, err = f.ExecutionLogs(f.Context(), e.ID)
	require.NoError(f, err)
	require.Equal(f, want, logs)
}

func finishLogsTwice(f *fixture) {
	log := func(dropped int, message string) core.AttemptLog {
		return core.AttemptLog{Attempt: 1, Dropped: dropped, Lines: []core.LogLine{{Time: Epoch(), Level: "info", Message: message}}}
	}
	e := f.putRunning()
	f.finishWithLog(e, log(1, "first"), func(now time.Time, e *core.Execution) { e.HandBack(now) })
	f.finishWithLog(f.start(e)[0], log(2, "second"), succeed)
	logs, err := f.ExecutionLogs(f.Context(), e.ID)
	require.NoError(f, err)
	logs[0].Lines[0].Message = "scribble" // what is returned is a copy
	logs, err = f.ExecutionLogs(f.Context(), e.ID)
	require.NoError(f, err)
	want := log(3, "first")
	want.Lines = append(want.Lines, log(0, "second").Lines...)
	require.Equal(f, []core.AttemptLog{want}, logs)
}

func (f *fixture) finishWithLog(e core.Execution, log core.AttemptLog, settle func(time.Time, *core.Execution)) {
	f.Helper()
	done, err := f.Finish(f.Context(), []core.Completion{{Lease: leaseOf(e), Log: log, Settle: settle}})
	require.NoError(f, err)
	require.True(f, done[0].Applied)
}

func finishConcurrently(f *fixture) {
	running := f.putRunning()
	applied, errs := make([]bool, hammerers), make([]error, hammerers)
	together(hammerers, func(i int) {
		done, err := f.Finish(f.Context(), []core.Completion{completion(running, succeed)})
		errs[i], applied[i] = err, err == nil && done[0].Applied
	})
	wins := 0
	for i := range applied {
		require.NoError(f, errs[i])
		if applied[i] {
			wins++
		}
	}
	require.Equal(f, 1, wins)
	require.Len(f, f.get(running.ID).Attempts, 1)
}

func finishNothing(f *fixture) {
	done, err := f.Finish(f.Context(), nil)
	require.NoError(f, err)
	require.Empty(f, done)
}

// finishExtremes holds what the host lets through: JSON nested as deep as it may
// be, numbers that no machine holds, and every text but U+0000.
func finishExtremes(f *fixture) {
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	fields := map[string]any{"\u0001\ufffd": "\u0007\U0010FFFF"}
	for range 64 {
		fields = map[string]any{"x": fields, "f": 1e308}
	}
	for name, text := range map[string]string{
		"depth": deep, "numbers": `[1e400000,-1E-400000,` + strings.Repeat("9", 200_000) + `]`,
		"texts": `{"":"\ud83d\ude00\u0001\u001f\u2028","\u007f":"\ufffe\uffff"}`, "size": `"` + strings.Repeat("x", 1<<20) + `"`,
	} {
		e := f.putRunning()
		c := completion(e, func(now time.Time, e *core.Execution) { e.Succeed(core.Outcome{Result: json.RawMessage(text)}, now) })
		c.Log = core.AttemptLog{Attempt: 1, Lines: []core.LogLine{{Time: Epoch(), Level: "info", Message: "\u2028\U0010FFFF\t\n", Fields: fields}}}
		c.Effects = core.Effects{
			State:    []core.StateWrite{{Owner: "x", Key: name + "\U0010FFFF", Value: json.RawMessage(text)}},
			Messages: []core.Message{core.EventOf(core.Invocation{ExecutionID: e.ID, TaskID: e.TaskID}, "1", "x.y", json.RawMessage(text))},
		}
		done, err := f.Finish(f.Context(), []core.Completion{c})
		require.NoError(f, err, name)
		require.True(f, done[0].Applied)
		require.True(f, text == string(compact(f.get(e.ID).Result)), "the result is as it was: %s", name) //nolint:testifylint // Equal would print it
	}
}
