package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// Messenger takes the engine's alerts and the notifications of plugins to a
// Notifier. It is a core.Messenger and safe for concurrent use.
type Messenger struct {
	notifier Notifier
}

// NewMessenger makes a Messenger that goes to the notifier.
func NewMessenger(n Notifier) *Messenger { return &Messenger{notifier: n} }

// Deliver delivers one message. The idempotency key is the message's id.
func (d *Messenger) Deliver(ctx context.Context, m core.Message) error {
	n, err := notificationFrom(m)
	if err != nil {
		return &core.Failure{Code: core.CodeInternal, Class: core.ClassPermanent, Message: fmt.Sprintf("read message %s: %v", m.ID, err)}
	}
	err = d.notifier.Notify(ctx, n)
	if told, ok := errors.AsType[*wire.Error](err); ok {
		f := &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable, Message: told.Message}
		if told.Kind != wire.Retryable {
			f.Class = core.ClassPermanent
		}
		f.RetryAfter = time.Duration(min(told.RetryAfterMS, maxRetryAfter.Milliseconds())) * time.Millisecond
		return f
	}
	return err
}

func notificationFrom(m core.Message) (Notification, error) {
	switch m.Kind {
	case core.MessageAlert:
		var data core.MessageData
		err := json.Unmarshal(m.Data, &data)
		e := data.Execution
		return Notification{
			IdempotencyKey: m.ID, Event: m.Type, ExecutionID: e.ID, TaskID: e.TaskID, TaskName: e.TaskName, TaskType: e.Type,
			NominalTime: e.NominalTime, Message: data.Text,
		}, err
	case core.MessageNotification:
		var data notificationData
		err := json.Unmarshal(m.Data, &data)
		return Notification{
			IdempotencyKey: m.ID, ExecutionID: m.ExecutionID, TaskID: m.TaskID, TaskName: data.TaskName, TaskType: data.TaskType,
			NominalTime: data.NominalTime, ChannelID: data.ChannelID, Message: data.Message, Via: data.Via,
		}, err
	}
	return Notification{}, fmt.Errorf("it is of the kind %q", m.Kind)
}

var _ core.Messenger = (*Messenger)(nil)
