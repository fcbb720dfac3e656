package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// dispatcher hands pending executions to the queue, as many as fit, through the
// rate limits.
type dispatcher struct {
	cfg Config
}

// fullPause is how long the dispatcher waits when the queue is full and nobody
// tells it that there is room.
const fullPause = 100 * time.Millisecond

// step hands over one batch.
//
// It marks before it publishes: a worker may be so fast that its claim, held by
// a gate, would otherwise come between, and the late mark would hide the
// execution from everybody. What the queue refuses is unmarked; what a crash
// leaves marked and unpublished the reaper unmarks.
func (d *dispatcher) step(ctx context.Context) (time.Duration, error) {
	_, free, err := d.cfg.Queue.Depth(ctx)
	if err != nil {
		return 0, err
	}
	if free == 0 {
		return fullPause, nil
	}
	report, err := d.cfg.Store.Ready(ctx, min(free, d.cfg.Batch))
	if err != nil || len(report.Executions) == 0 {
		return report.Wait, err
	}
	items, marks, err := d.admit(ctx, report)
	if err != nil {
		return 0, err
	}
	marked, err := d.cfg.Store.MarkQueued(ctx, marks)
	if err != nil {
		return 0, err
	}
	return d.publish(ctx, marked, items, report.Wait)
}

// publish offers those items to the queue that were marked.
func (d *dispatcher) publish(ctx context.Context, marked []string, items []core.QueueItem, wait time.Duration) (time.Duration, error) {
	items = slices.DeleteFunc(items, func(i core.QueueItem) bool { return !slices.Contains(marked, i.ExecutionID) })
	if len(items) == 0 {
		return wait, nil
	}
	err := d.cfg.Queue.Publish(ctx, items)
	if err == nil {
		return wait, nil
	}
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ExecutionID
	}
	if undo := d.cfg.Store.Unqueue(context.WithoutCancel(ctx), ids); undo != nil {
		return 0, errors.Join(err, undo)
	}
	if core.CodeOf(err) == core.CodeRateLimited {
		return fullPause, nil
	}
	return 0, err
}

// admit asks the limiter about those that have a rate limit. What is refused is
// put off until the limiter expects room.
func (d *dispatcher) admit(ctx context.Context, report core.ReadyReport) ([]core.QueueItem, []core.QueueMark, error) {
	marks := make([]core.QueueMark, 0, len(report.Executions))
	inHours, err := d.inHours(ctx, report, &marks)
	if err != nil {
		return nil, nil, err
	}
	decisions, err := d.limits(ctx, inHours)
	if err != nil {
		return nil, nil, err
	}
	items := make([]core.QueueItem, 0, len(inHours))
	for _, e := range inHours {
		if wait, refused := decisions[e.ID]; refused {
			marks = append(marks, core.QueueMark{ID: e.ID, DeferTo: report.Observed.Add(wait)})
			continue
		}
		items = append(items, core.QueueItem{ExecutionID: e.ID, Type: e.Type, Priority: e.Policy.Priority, Rank: e.Rank()})
		marks = append(marks, core.QueueMark{ID: e.ID, Paid: e.Policy.RateLimit != nil})
	}
	return items, marks, nil
}

// inHours returns the executions that may start at this time of day, and puts
// the others off until they may.
func (d *dispatcher) inHours(ctx context.Context, report core.ReadyReport, marks *[]core.QueueMark) ([]core.Execution, error) {
	var open []core.Execution
	for _, e := range report.Executions {
		ok, next, err := openAt(ctx, d.cfg.Store, e.Hours, report.Observed)
		if err != nil {
			return nil, err
		}
		if !ok {
			*marks = append(*marks, core.QueueMark{ID: e.ID, DeferTo: next})
			continue
		}
		open = append(open, e)
	}
	return open, nil
}

// openAt looks at an execution's hours with the calendars of now.
func openAt(ctx context.Context, store core.CalendarStore, h *core.Hours, at time.Time) (open bool, next time.Time, err error) {
	if h == nil {
		return true, at, nil
	}
	var set core.CalendarSet
	if len(h.Calendars) > 0 {
		if set, err = store.CalendarSet(ctx, h.Calendars); err != nil {
			return false, at, err
		}
	}
	open, next = h.Open(at, set)
	return open, next, nil
}

// limits returns how long those that the limiter refuses have to wait.
func (d *dispatcher) limits(ctx context.Context, executions []core.Execution) (map[string]time.Duration, error) {
	var ids []string
	var requests []core.LimitRequest
	for _, e := range executions {
		if l := e.Policy.RateLimit; l != nil && !e.LimitPaid {
			ids = append(ids, e.ID)
			requests = append(requests, core.LimitRequest{Key: l.Key, Limit: l.Limit, Per: l.PerMs.Duration()})
		}
	}
	if len(requests) == 0 {
		return nil, nil
	}
	decisions, err := d.cfg.Limiter.Take(ctx, requests)
	if err != nil {
		return nil, err
	}
	refused := make(map[string]time.Duration)
	for i, decision := range decisions {
		if !decision.Allowed {
			refused[ids[i]] = decision.Wait
		}
	}
	return refused, nil
}
