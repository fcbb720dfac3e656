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

// Alerts takes the engine's alerts to a Notifier. It is a core.Alerter and safe
// for concurrent use.
type Alerts struct {
	notifier Notifier
}

// NewAlerts makes Alerts that go to the notifier.
func NewAlerts(n Notifier) *Alerts { return &Alerts{notifier: n} }

// Alert delivers one message. The idempotency key is the message's id.
func (a *Alerts) Alert(ctx context.Context, m core.Message) error {
	var data core.MessageData
	if err := json.Unmarshal(m.Data, &data); err != nil {
		return &core.Failure{Code: core.CodeInternal, Class: core.ClassPermanent, Message: fmt.Sprintf("read message %s: %v", m.ID, err)}
	}
	e := data.Execution
	n := Notification{
		IdempotencyKey: m.ID, Event: m.Type, ExecutionID: e.ID, TaskID: e.TaskID, TaskName: e.TaskName, TaskType: e.Type,
		NominalTime: e.NominalTime, Message: data.Text,
	}
	_, err := a.notifier.Notify(ctx, n)
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

var _ core.Alerter = (*Alerts)(nil)
