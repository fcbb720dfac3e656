package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// dispatcher hands pending executions to the queue, as many as fit and as rate
// limits will let start.
type dispatcher struct {
	cfg    Config
	shaper *shaper
	called time.Time // when others were last asked to help
}

// callPause is the least time between two calls for help.
const callPause = time.Second

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
	now := d.cfg.Clock.Now()
	limit := min(free, d.cfg.Batch)
	report, err := d.cfg.Store.Ready(ctx, limit, func(taskType, rateKey string) bool {
		return d.shaper.closed(now, core.TypeRateKey(taskType)) || rateKey != "" && d.shaper.closed(now, core.RateKey(rateKey))
	})
	if err != nil {
		return 0, err
	}
	if len(report.Executions) == limit {
		d.call(ctx, now)
	} else {
		d.rest(ctx, d.cfg.Clock.Now().Sub(now))
	}
	report.Wait = sooner(report.Wait, d.shaper.next(now))
	if len(report.Executions) == 0 {
		return report.Wait, nil
	}
	items, marks, err := d.admit(ctx, report)
	if err != nil {
		return 0, err
	}
	if len(marks) == 0 {
		return sooner(report.Wait, d.shaper.next(d.cfg.Clock.Now())), nil
	}
	marked, err := d.cfg.Store.MarkQueued(ctx, marks)
	if err != nil {
		return 0, err
	}
	return d.publish(ctx, marked, items, report.Wait)
}

// rest pauses after a look that took long and found little: it went past much
// that a closed gate holds. Every end of an execution asks for another look.
func (d *dispatcher) rest(ctx context.Context, took time.Duration) {
	if took > longLook {
		pause(ctx, min(took, fullPause))
	}
}

// longLook is how long a look at the store may take that nobody need rest after.
const longLook = 100 * time.Millisecond

// call tells the other nodes that there is more than one dispatcher takes at a
// time. They would find it themselves, but only after Idle.
func (d *dispatcher) call(ctx context.Context, now time.Time) {
	if now.Sub(d.called) < callPause {
		return
	}
	d.called = now
	d.cfg.Signals.Send(ctx, core.Signal{Kind: core.SignalDispatch})
}

// sooner is the shorter of two waits, of which a negative one is endless.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// publish offers those items to the queue that were marked.
func (d *dispatcher) publish(ctx context.Context, marked []string, items []core.QueueItem, wait time.Duration) (time.Duration, error) {
	ours := make(map[string]bool, len(marked))
	for _, id := range marked {
		ours[id] = true
	}
	items = slices.DeleteFunc(items, func(i core.QueueItem) bool { return !ours[i.ExecutionID] })
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

// admit chooses those that may start at this time of day and, as far as the
// shaper can tell, under their rate limits. What a limit holds stays as it is.
func (d *dispatcher) admit(ctx context.Context, report core.ReadyReport) ([]core.QueueItem, []core.QueueMark, error) {
	marks := make([]core.QueueMark, 0, len(report.Executions))
	inHours, err := d.inHours(ctx, report, &marks)
	if err != nil {
		return nil, nil, err
	}
	now := d.cfg.Clock.Now()
	items := make([]core.QueueItem, 0, len(inHours))
	for _, e := range inHours {
		if rates := d.cfg.Rates.Of(e.Type, e.RateLimit); len(rates) > 0 && !d.shaper.offer(now, rates) {
			continue
		}
		items = append(items, core.QueueItem{ExecutionID: e.ID, Type: e.Type, Priority: e.Priority, Rank: e.Rank})
		marks = append(marks, core.QueueMark{ID: e.ID})
	}
	return items, marks, nil
}

// inHours returns the executions that may start at this time of day, and puts
// the others off until they may.
func (d *dispatcher) inHours(ctx context.Context, report core.ReadyReport, marks *[]core.QueueMark) ([]core.ReadyExecution, error) {
	var open []core.ReadyExecution
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
