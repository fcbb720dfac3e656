package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// planner turns due tasks into executions. It sleeps until the exact time the
// next task is due, as the store told it.
type planner struct {
	cfg     Config
	cancel  func(executionID string) // tells a running execution to end
	planned func()                   // new executions are there
}

// maxRows bounds the rows of one transaction: it must not hold the store for so
// long that heartbeats are late.
const maxRows = 2000

// step plans one batch.
func (p *planner) step(ctx context.Context) (time.Duration, error) {
	rows := 0
	report, err := p.cfg.Store.PlanDue(ctx, p.cfg.Batch, func(now time.Time, d core.DueTask) core.Plan {
		if rows >= maxRows {
			return core.Plan{Later: true}
		}
		plan := p.decide(now, d)
		rows += len(plan.Executions)
		return plan
	})
	if err != nil {
		return 0, err
	}
	for _, id := range report.Cancel {
		p.cancel(id)
	}
	for i := range report.Planned {
		e := &report.Planned[i]
		p.cfg.Observer.Observe(core.Event{Kind: core.EventPlanned, At: report.Observed, Execution: e})
	}
	if len(report.Planned) > 0 {
		p.planned()
	}
	return report.Wait, nil
}

// plan turns a panic of the arithmetic into an error: one poisonous task must
// not end the node, at every start again.
func (p *planner) plan(now time.Time, d core.DueTask) (plan core.Plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return p.cfg.Timetable.PlanTask(now, d)
}

// decide plans one task. A task whose rule cannot be computed any more (a time
// zone that vanished, say) is recorded as missed and taken off the clock, so
// that it neither blocks the others nor disappears in silence.
func (p *planner) decide(now time.Time, d core.DueTask) core.Plan {
	plan, err := p.plan(now, d)
	if err == nil {
		return plan
	}
	p.cfg.Logger.Error("task cannot be planned any more", "task_id", d.Task.ID, "error", err)
	nominal := now
	if d.Task.Plan.NextNominal != nil {
		nominal = *d.Task.Plan.NextNominal
	}
	e := core.NewExecution(d.Task, core.TriggerSchedule, nominal, nominal, now)
	e.Dismiss(core.StatusMissed, "schedule cannot be computed: "+err.Error(), now)
	state := d.Task.Plan
	state.NextNominal, state.LastNominal = nil, &nominal
	return core.Plan{State: state, Executions: []core.Execution{e}}
}
