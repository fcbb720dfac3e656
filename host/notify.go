package host

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Notifier delivers notifications of plugins, and alerts. Implementations are
// safe for concurrent use.
type Notifier interface {
	// Notify delivers n, or learns from n.IdempotencyKey that it was delivered
	// before. A *wire.Error tells whether, and after how long, another try makes
	// sense; any other error counts as retryable.
	Notify(ctx context.Context, n Notification) error
}

// Notification is a message for the people of a channel.
type Notification struct {
	IdempotencyKey string // <executionId>:<sequence> or the id of an alert, the same on every delivery
	Event          string // what an alert is about, such as execution.failed; empty when a plugin speaks

	ExecutionID string
	TaskID      string
	TaskName    string
	TaskType    string
	NominalTime time.Time

	ChannelID string
	Message   string
	Via       []string // routes; empty leaves it to the service
}

// LogNotifier writes notifications to the log. It stands in where no
// notification service is configured.
type LogNotifier struct {
	logger hclog.Logger
}

// NewLogNotifier makes a LogNotifier that writes to logger: at info or, where
// that level is off, at the lowest one that is on. A notification that counts
// as delivered must be found somewhere.
func NewLogNotifier(logger hclog.Logger) *LogNotifier { return &LogNotifier{logger: logger} }

// Notify writes n to the log. It never fails.
func (l *LogNotifier) Notify(_ context.Context, n Notification) error {
	l.logger.Log(written(l.logger), "notification", "event", n.Event, "channel_id", n.ChannelID, "message", n.Message, "via", slices.Clone(n.Via),
		"execution_id", n.ExecutionID, "task_id", n.TaskID, "task_name", n.TaskName, "key", n.IdempotencyKey)
	return nil
}

// written returns the level from info on that the logger really writes.
func written(logger hclog.Logger) hclog.Level {
	switch {
	case logger.IsInfo():
		return hclog.Info
	case logger.IsWarn():
		return hclog.Warn
	}
	return hclog.Error
}

var _ Notifier = (*LogNotifier)(nil)
