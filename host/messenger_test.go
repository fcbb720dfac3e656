package host_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// answering is a notifier that keeps what it is told and answers err.
type answering struct {
	err  error
	told []host.Notification
}

func (a *answering) Notify(_ context.Context, n host.Notification) error {
	a.told = append(a.told, n)
	return a.err
}

func failedMessage() core.Message {
	e := coretest.Execution(coretest.Task(coretest.Named("Stream Reminder")))
	e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassPermanent, Message: "no such channel"}, "x@1", 0, coretest.Epoch())
	return core.MessagesOf([]core.Execution{e}, coretest.Epoch())[1]
}

func TestAnAlertIsANotification(t *testing.T) {
	n := &answering{}
	m := failedMessage()
	require.NoError(t, host.NewMessenger(n).Deliver(t.Context(), m))
	require.Equal(t, []host.Notification{{
		IdempotencyKey: m.ID, Event: "execution.failed", ExecutionID: m.ExecutionID, TaskID: m.TaskID, TaskName: "Stream Reminder", TaskType: "test",
		NominalTime: coretest.Epoch(), Message: `task "Stream Reminder" failed: no such channel`,
	}}, n.told)
}

func TestWhatAPluginNotifiesArrivesAsItWasSaid(t *testing.T) {
	h := loaded(t, callOnce(wire.OpNotify, wire.Notification{ChannelID: "c", Message: "a\x00b", Via: []string{"email"}}), "grants: {notify: true}")
	nominal := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	out, err := h.Invoke(t.Context(), core.Invocation{ExecutionID: "e", TaskID: "t", TaskName: "Task", Type: "x", Attempt: 1, NominalTime: nominal})
	require.NoError(t, err)
	require.JSONEq(t, `{"id": "e:1"}`, string(out.Result))
	n := &answering{}
	require.NoError(t, host.NewMessenger(n).Deliver(t.Context(), out.Effects.Messages[0]))
	require.Equal(t, []host.Notification{{
		IdempotencyKey: "e:1", ExecutionID: "e", TaskID: "t", TaskName: "Task", TaskType: "x", NominalTime: nominal,
		ChannelID: "c", Message: "a\ufffdb", Via: []string{"email"},
	}}, n.told)
}

func TestAnAlertThatIsRefused(t *testing.T) {
	other := errors.New("other")
	for name, c := range map[string]struct {
		answer error
		class  core.Class
		after  time.Duration
	}{
		"later":     {&wire.Error{Kind: wire.Retryable, RetryAfterMS: 7000}, core.ClassRetryable, 7 * time.Second},
		"some time": {&wire.Error{Kind: wire.Retryable}, core.ClassRetryable, 0},
		"never":     {&wire.Error{Kind: wire.Permanent}, core.ClassPermanent, 0},
		"endless":   {&wire.Error{Kind: wire.Retryable, RetryAfterMS: 1 << 62}, core.ClassRetryable, 30 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok := errors.AsType[*core.Failure](host.NewMessenger(&answering{err: c.answer}).Deliver(t.Context(), failedMessage()))
			require.True(t, ok)
			require.Equal(t, c.class, f.Class)
			require.Equal(t, c.after, f.RetryAfter)
		})
	}
	require.ErrorIs(t, host.NewMessenger(&answering{err: other}).Deliver(t.Context(), failedMessage()), other)
	for _, m := range []core.Message{
		{Kind: core.MessageAlert, Data: []byte(`{`)}, {Kind: core.MessageNotification, Data: []byte(`{`)}, {Kind: "other", Data: []byte(`{}`)},
	} {
		require.Equal(t, core.ClassPermanent, core.FailureOf(host.NewMessenger(&answering{}).Deliver(t.Context(), m)).Class)
	}
}
