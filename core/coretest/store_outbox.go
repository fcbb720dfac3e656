package coretest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) outbox(t *testing.T) {
	s.run(t, "a message has everything that was said", messageComplete)
	s.run(t, "what comes of no execution is told at once", messagesOfNone)
	s.run(t, "every way to end is an event, and what goes on is none", everyEndIsAnEvent)
	s.run(t, "what fails for good is an alert", failuresAlert)
	s.run(t, "occurrences that were missed together are one alert", missedAlert)
	s.run(t, "nobody is told who does not want to be", alertsOff)
	s.run(t, "a message stays until it is settled, in order", settleMessages)
	s.run(t, "all that one step says is told, and in order", messagesOfMany)
	s.run(t, "a message that is put off comes again at its time", postponedMessages)
}

// messages lists what waits in the outbox of a kind.
func (f *fixture) messages(kind core.MessageKind) []core.Message {
	f.Helper()
	report, err := f.Outbox(f.Context(), kind, 1000)
	require.NoError(f, err)
	return report.Messages
}

// told lists the types of what waits, in order.
func (f *fixture) told(kind core.MessageKind) []string {
	f.Helper()
	var types []string
	for _, m := range f.messages(kind) {
		types = append(types, m.Type)
	}
	return types
}

func (f *fixture) settleMessages(done []int64, later ...core.Postponed) {
	f.Helper()
	require.NoError(f, f.SettleOutbox(f.Context(), done, later))
}

func messageComplete(f *fixture) {
	task := f.putTask(Named("Täglich"))
	e := f.settle(f.start(f.put(task))[0], failForGood)
	for _, kind := range []core.MessageKind{core.MessageEvent, core.MessageAlert} {
		got := f.messages(kind)
		require.Len(f, got, 1)
		m := got[0]
		require.Positive(f, m.Seq)
		_, valid := core.ParseID(m.ID)
		require.True(f, valid)
		require.Equal(f, kind, m.Kind)
		require.Equal(f, core.TypeExecutionFailed, m.Type)
		require.Equal(f, []string{task.ID, e.ID}, []string{m.TaskID, m.ExecutionID})
		require.Equal(f, *e.EndTime, m.Time)
		require.Zero(f, m.Tries)
		var data core.MessageData
		require.NoError(f, json.Unmarshal(m.Data, &data))
		require.Equal(f, "Täglich", data.Execution.TaskName)
		require.Equal(f, core.StatusFailed, data.Execution.Status)
	}
	require.NotEqual(f, f.messages(core.MessageEvent)[0].ID, f.messages(core.MessageAlert)[0].ID)
}

func messagesOfNone(f *fixture) {
	event := core.PluginEvent{Kind: core.TypePluginRefused, Node: "a", Type: "x", Reason: "it is „broken“"}
	early, ahead := event.Message(f.clock.Now().Add(-time.Minute)), event.Message(f.clock.Now().Add(time.Hour))
	require.NoError(f, f.Tell(f.Context(), []core.Message{early, ahead}))
	require.NoError(f, f.Tell(f.Context(), nil))
	got := f.messages(core.MessageEvent)
	require.Len(f, got, 2, "another clock holds nothing up")
	want := early
	want.Seq, got[0].Data = got[0].Seq, compact(got[0].Data)
	require.Equal(f, want, got[0])
	require.JSONEq(f, `{"node":"a","type":"x","reason":"it is „broken“"}`, string(got[0].Data))
	require.Equal(f, []any{ahead.ID, core.Instant(f.clock.Now())}, []any{got[1].ID, got[1].Time})
	f.settleMessages([]int64{got[0].Seq, got[1].Seq})
	require.Empty(f, f.messages(core.MessageEvent))
}

func everyEndIsAnEvent(f *fixture) {
	f.settle(f.putRunning(), retryLater)
	require.Empty(f, f.told(core.MessageEvent), "an attempt has ended and not the execution")
	f.settle(f.putRunning(), succeed)
	cancelled := f.putFree()
	_, err := f.Cancel(f.Context(), core.Cancellation{ExecutionID: cancelled.ID, Reason: "test"})
	require.NoError(f, err)
	deleted := f.putTask()
	f.put(deleted)
	_, err = f.DeleteTask(f.Context(), deleted.ID, core.AnyVersion)
	require.NoError(f, err)
	require.Equal(f, []string{"execution.succeeded", "execution.cancelled", "execution.cancelled"}, f.told(core.MessageEvent))

	lost := f.putRunning()
	f.clock.Advance(time.Hour)
	reaped, err := f.Reap(f.Context(), 10, func(now time.Time, e *core.Execution) {
		e.Policy.Delivery = core.AtMostOnce
		e.LoseLease(now)
	})
	require.NoError(f, err)
	require.Equal(f, []string{lost.ID}, idsOf(reaped))
	require.Equal(f, "execution.lost", f.told(core.MessageEvent)[3])
	require.Equal(f, []string{"execution.lost"}, f.told(core.MessageAlert))

	first := f.putTask()
	waiting := f.putTask(After(first))
	f.put(waiting, func(e *core.Execution) { e.Awaits = &core.Awaited{Tasks: []string{first.ID}, Since: Epoch()} })
	f.fails(first)
	_, err = f.Judge(f.Context(), 10, func(time.Time, core.Execution, []core.DependencyState) core.Verdict {
		return core.Verdict{Ruling: core.RulingFail, Reason: "first failed"}
	})
	require.NoError(f, err)
	require.Equal(f, []string{"execution.failed", "execution.failed"}, f.told(core.MessageEvent)[4:])
}

func failuresAlert(f *fixture) {
	f.settle(f.putRunning(), retryLater)
	f.settle(f.putRunning(), succeed)
	require.Empty(f, f.told(core.MessageAlert))
	f.settle(f.putRunning(), failForGood)
	require.Equal(f, []string{"execution.failed"}, f.told(core.MessageAlert))
}

// dismissing plans n occurrences that do not run.
func dismissing(n int, s core.Status) func(time.Time, core.DueTask) core.Plan {
	return func(now time.Time, d core.DueTask) core.Plan {
		var p core.Plan
		for i := range n {
			at := Epoch().Add(time.Duration(i) * time.Second)
			e := core.NewExecution(d.Task, core.TriggerSchedule, at, at, now)
			e.Dismiss(s, "too late", now)
			p.Executions = append(p.Executions, e)
		}
		return p
	}
}

func missedAlert(f *fixture) {
	f.putDueTask(Epoch())
	f.putDueTask(Epoch())
	f.planDue(10, dismissing(3, core.StatusMissed))
	require.Len(f, f.told(core.MessageEvent), 6)
	alerts := f.messages(core.MessageAlert)
	require.Len(f, alerts, 2, "one for each task")
	require.Contains(f, string(alerts[0].Data), "missed 3 occurrences from 2026-03-02T10:00:00Z to 2026-03-02T10:00:02Z: too late")

	f.putDueTask(Epoch())
	f.planDue(10, dismissing(1, core.StatusSkipped))
	require.Len(f, f.told(core.MessageAlert), 2, "to skip is no accident")
}

func alertsOff(f *fixture) {
	quiet := func(s *core.TaskSpec) { s.Alerts = core.Alerts{} }
	f.settle(f.start(f.put(f.putTask(quiet)))[0], failForGood)
	f.putDueTask(Epoch(), quiet)
	f.planDue(10, dismissing(1, core.StatusMissed))
	require.Empty(f, f.told(core.MessageAlert))
	require.Equal(f, []string{"execution.failed", "execution.missed"}, f.told(core.MessageEvent))
}

func settleMessages(f *fixture) {
	for range 3 {
		f.settle(f.putRunning(), failForGood)
	}
	all := f.messages(core.MessageEvent)
	require.Len(f, all, 3)
	require.Less(f, all[0].Seq, all[1].Seq)
	require.Less(f, all[1].Seq, all[2].Seq)
	require.Equal(f, all, f.messages(core.MessageEvent), "looking takes nothing")

	part, err := f.Outbox(f.Context(), core.MessageEvent, 2)
	require.NoError(f, err)
	require.Equal(f, all[:2], part.Messages)
	require.Zero(f, part.Wait, "more are due")
	f.settleMessages([]int64{all[0].Seq, all[2].Seq})
	f.settleMessages([]int64{all[0].Seq}, core.Postponed{Seq: all[2].Seq, After: time.Second})
	rest, err := f.Outbox(f.Context(), core.MessageEvent, 10)
	require.NoError(f, err)
	require.Equal(f, all[1:2], rest.Messages)
	require.Negative(f, rest.Wait)
	require.Len(f, f.messages(core.MessageAlert), 3, "the alerts are settled apart")

	f.settleMessages([]int64{all[1].Seq})
	f.settle(f.putRunning(), succeed)
	require.Greater(f, f.messages(core.MessageEvent)[0].Seq, f.messages(core.MessageAlert)[2].Seq, "no number comes twice")
}

// messagesOfMany lets many executions end in one step.
func messagesOfMany(f *fixture) {
	first := f.settle(f.putRunning(), succeed)
	var done []core.Completion
	want := []string{first.ID}
	for range 5 {
		e := f.putRunning()
		want, done = append(want, e.ID), append(done, completion(e, succeed))
	}
	_, err := f.Finish(f.Context(), done)
	require.NoError(f, err)
	last := f.settle(f.putRunning(), failForGood)
	want = append(want, last.ID)

	var told []string
	seen := map[string]bool{}
	for seq := int64(0); len(told) < len(want); {
		report, err := f.Outbox(f.Context(), core.MessageEvent, 2)
		require.NoError(f, err)
		require.NotEmpty(f, report.Messages)
		var settled []int64
		for _, m := range report.Messages {
			require.GreaterOrEqual(f, m.Seq, seq)
			require.False(f, seen[m.ID], "an id twice")
			var data core.MessageData
			require.NoError(f, json.Unmarshal(m.Data, &data))
			require.Equal(f, []any{data.Execution.ID, data.Execution.TaskID}, []any{m.ExecutionID, m.TaskID})
			require.Equal(f, "execution."+string(data.Execution.Status), m.Type)
			require.Equal(f, f.clock.Now(), m.Time)
			seq, seen[m.ID] = m.Seq, true
			told, settled = append(told, m.ExecutionID), append(settled, m.Seq)
		}
		if len(told) < len(want) {
			require.Zero(f, report.Wait, "more are due")
		} else {
			require.Negative(f, report.Wait)
		}
		f.settleMessages(settled)
	}
	require.ElementsMatch(f, want, told)
	require.Equal(f, []string{first.ID, last.ID}, []string{told[0], told[len(told)-1]})
	require.Len(f, f.messages(core.MessageAlert), 1, "alerts are settled one by one")
}

func postponedMessages(f *fixture) {
	f.settle(f.putRunning(), failForGood)
	m := f.messages(core.MessageAlert)[0]
	f.settleMessages(nil, core.Postponed{Seq: m.Seq, After: time.Minute})
	report, err := f.Outbox(f.Context(), core.MessageAlert, 10)
	require.NoError(f, err)
	require.Empty(f, report.Messages)
	require.Equal(f, time.Minute, report.Wait)
	f.clock.Advance(time.Minute)
	m.Tries = 1
	require.Equal(f, []core.Message{m}, f.messages(core.MessageAlert))
}

func (s storeSuite) late(t *testing.T) {
	s.run(t, "an execution that has not started is late once, at its time", lateWaiting)
	s.run(t, "one that started in time is never late", startedInTime)
	s.run(t, "one that started late is told even when it ends at once", startedLate)
	s.run(t, "one that started in time and was handed back is watched again", handedBackLate)
	s.run(t, "one that was late and was handed back is not told twice", handedBackTwice)
}

func lateAfter(d time.Duration) func(*core.TaskSpec) {
	return func(s *core.TaskSpec) { s.Alerts = core.Alerts{LateAfterMs: core.MillisOf(d)} }
}

// raise raises what is late and returns the ids and the time until the next.
func (f *fixture) raise() ([]string, time.Duration) {
	f.Helper()
	report, err := f.RaiseLate(f.Context(), 10)
	require.NoError(f, err)
	return idsOf(report.Raised), report.Wait
}

func lateWaiting(f *fixture) {
	ids, wait := f.raise()
	require.Empty(f, ids)
	require.Negative(f, wait, "nothing is watched")
	e := f.put(f.putTask(lateAfter(time.Minute)))
	second := f.put(f.putTask(lateAfter(time.Hour)))
	f.putFree()
	ids, wait = f.raise()
	require.Empty(f, ids)
	require.Equal(f, time.Minute, wait)
	f.mark(e)
	f.clock.Advance(time.Minute)
	ids, wait = f.raise()
	require.Equal(f, []string{e.ID}, ids)
	require.Equal(f, time.Hour-time.Minute, wait)
	require.Equal(f, []string{"execution.late"}, f.told(core.MessageEvent))
	require.Contains(f, string(f.messages(core.MessageAlert)[0].Data), "was due at 2026-03-02T10:00:00Z and has not started 1m0s later")
	f.clock.Advance(time.Minute)
	ids, _ = f.raise()
	require.Empty(f, ids, "once is enough")
	f.settle(f.start(e)[0], succeed)
	require.Equal(f, []string{"execution.late", "execution.succeeded"}, f.told(core.MessageEvent))
	require.Equal(f, core.StatusPending, f.get(second.ID).Status)
}

func startedInTime(f *fixture) {
	e := f.put(f.putTask(lateAfter(time.Minute)))
	f.clock.Advance(time.Minute - time.Microsecond)
	running := f.start(e)[0]
	f.clock.Advance(time.Hour)
	ids, wait := f.raise()
	require.Empty(f, ids)
	require.Negative(f, wait)
	f.settle(running, succeed)
	require.Equal(f, []string{"execution.succeeded"}, f.told(core.MessageEvent))
}

func startedLate(f *fixture) {
	e := f.put(f.putTask(lateAfter(time.Minute)))
	f.clock.Advance(2 * time.Minute)
	f.settle(f.start(e)[0], succeed)
	require.Equal(f, []string{"execution.late", "execution.succeeded"}, f.told(core.MessageEvent))
	require.Contains(f, string(f.messages(core.MessageAlert)[0].Data), "started 2m0s late")

	task, now := f.putTask(lateAfter(time.Minute)), f.clock.Now()
	other := f.put(task, func(e *core.Execution) { *e = core.NewExecution(task, core.TriggerManual, now, now, now) })
	f.clock.Advance(time.Minute)
	f.start(other)
	ids, _ := f.raise()
	require.Equal(f, []string{other.ID}, ids, "it runs and was late all the same")
}

func handedBackLate(f *fixture) {
	running := f.start(f.put(f.putTask(lateAfter(time.Minute))))[0]
	f.clock.Advance(time.Hour)
	f.settle(running, func(now time.Time, e *core.Execution) { e.HandBack(now) })
	_, wait := f.raise()
	require.Equal(f, time.Minute, wait)
}

func handedBackTwice(f *fixture) {
	handBack := func(now time.Time, e *core.Execution) { e.HandBack(now) }
	told := f.put(f.putTask(lateAfter(time.Minute)))
	f.clock.Advance(time.Minute)
	ids, _ := f.raise()
	require.Equal(f, []string{told.ID}, ids)
	f.settle(f.start(told)[0], handBack)
	f.clock.Advance(time.Hour)
	ids, wait := f.raise()
	require.Empty(f, ids)
	require.Negative(f, wait)
	f.settle(f.start(told)[0], succeed)
	require.Equal(f, []string{"execution.late", "execution.succeeded"}, f.told(core.MessageEvent))

	task, now := f.putTask(lateAfter(time.Minute)), f.clock.Now()
	untold := f.put(task, func(e *core.Execution) { *e = core.NewExecution(task, core.TriggerManual, now, now, now) })
	f.clock.Advance(time.Hour)
	f.settle(f.start(untold)[0], handBack)
	ids, _ = f.raise()
	require.Equal(f, []string{untold.ID}, ids, "it was late before it was handed back")
	ids, _ = f.raise()
	require.Empty(f, ids)
}
