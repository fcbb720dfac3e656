package engine

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// judge decides about the executions that wait for dependencies: it lets them
// go, or ends them when a dependency has failed or patience has ended.
type judge struct {
	cfg     Config
	changed func()
}

// step judges one batch.
func (j *judge) step(ctx context.Context) (time.Duration, error) {
	report, err := j.cfg.Store.Judge(ctx, j.cfg.Batch, rule)
	if err != nil {
		return 0, err
	}
	for i := range report.Changed {
		if e := &report.Changed[i]; e.Status.Final() {
			j.cfg.Observer.Observe(core.Event{Kind: core.EventFinished, At: j.cfg.Clock.Now(), Execution: e})
			j.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalFinished, ExecutionID: e.ID})
		}
	}
	if len(report.Changed) > 0 {
		j.changed()
	}
	return report.Wait, nil
}

// rule is what the execution's policy says about its dependencies.
func rule(now time.Time, e core.Execution, states []core.DependencyState) core.Verdict {
	return e.Policy.DependencyPolicy.Judge(now, e.Awaits.Since, e.Awaits.Until, states)
}
