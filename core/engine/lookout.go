package engine

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// lookout raises the alarm for executions that have not started in time, at the
// instant they become late.
type lookout struct {
	cfg    Config
	raised func() // messages wait
}

// step raises one batch.
func (l *lookout) step(ctx context.Context) (time.Duration, error) {
	report, err := l.cfg.Store.RaiseLate(ctx, l.cfg.Batch)
	if err != nil {
		return 0, err
	}
	for i := range report.Raised {
		e := &report.Raised[i]
		l.cfg.Logger.Warn("execution is late", "task_id", e.TaskID, "execution_id", e.ID, "status", e.Status, "late_at", e.LateAt)
		l.cfg.Observer.Observe(core.Event{Kind: core.EventLate, At: l.cfg.Clock.Now(), Execution: e})
	}
	if len(report.Raised) > 0 {
		l.raised()
	}
	return report.Wait, nil
}
