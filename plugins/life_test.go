package plugins_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/fakeplatform"
)

// life plays the engine for one act: executions live by core's own rules, one at
// a time, and what they wait for passes at once.
type life struct {
	platforms
	act act
	n   int // targets so far
}

// afresh lets all limits pass, and forgets faults and what has happened.
func (l *life) afresh() {
	l.clock.forward(time.Hour)
	l.Journal().Clear()
	l.Faults().Clear()
}

// execution is planned for a target that nothing was done to.
func (l *life) execution(delivery core.DeliveryPolicy) (core.Execution, json.RawMessage) {
	l.n++
	if l.act.prepare != nil {
		l.act.prepare(l.platforms, l.n)
	}
	return core.Execution{
		ID: core.NewID(), TaskID: "t-1", TaskName: "Stream", Type: l.act.taskType, Trigger: core.TriggerSchedule, Status: core.StatusQueued, NominalTime: time.Now(),
		Policy: core.Policy{Delivery: delivery, RetryPolicy: core.RetryPolicy{Attempts: 3, Delay: 5000, Backoff: core.BackoffFixed}},
	}, json.RawMessage(l.act.data(l.n))
}

// live runs attempts until the execution has ended.
func (l *life) live(t *testing.T, e core.Execution, data json.RawMessage) core.Execution {
	t.Helper()
	require.NoError(t, l.ValidateData(e.Type, data))
	for !e.Status.Final() {
		now := l.clock.Now()
		require.NoError(t, e.Start("node", int64(e.Attempt+1), now, now.Add(time.Minute)))
		l.attempt(t, &e, data)
		if wait := e.DueAt.Sub(l.clock.Now()); !e.Status.Final() && wait > 0 {
			l.clock.forward(wait + time.Millisecond)
		}
	}
	return e
}

// attempt runs once. One that hangs runs out of its time as soon as it does.
func (l *life) attempt(t *testing.T, e *core.Execution, data json.RawMessage) {
	t.Helper()
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	before, _ := l.Journal().After(0)
	go l.timeOut(ctx, end, len(before))
	out, err := l.Invoke(ctx, core.Invocation{
		ExecutionID: e.ID, TaskID: e.TaskID, TaskName: e.TaskName, Type: e.Type, Trigger: e.Trigger, Attempt: e.Attempt, MaxAttempts: 3, Token: e.Token,
		NominalTime: e.NominalTime, Deadline: time.Now().Add(2 * time.Minute), Data: data,
	})
	switch {
	case errors.Is(err, errNodeDied):
		e.LoseLease(l.clock.Now())
	case err != nil:
		e.Fail(core.FailureOf(err), out.Plugin, 0, l.clock.Now())
	default:
		l.store.succeed(out.Effects)
		e.Succeed(out, l.clock.Now())
	}
}

// timeOut ends an attempt one of whose requests gets no answer. Those that came
// before it are passed over.
func (l *life) timeOut(ctx context.Context, end context.CancelCauseFunc, before int) {
	for {
		entries, news := l.Journal().After(0)
		for _, e := range entries[min(before, len(entries)):] {
			if e.Fault == fakeplatform.FaultHang || e.Fault == fakeplatform.FaultHangAfter {
				end(context.DeadlineExceeded)
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}
