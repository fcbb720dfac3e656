package core

import "time"

// AgingStep is what one level of priority is worth in waiting time.
const AgingStep = 10 * time.Second

// MaxOvertaking is how much later than it an execution may be created and still
// go first, by the highest priority over the lowest. So the lowest priority
// waits at most this much longer than if there were no priorities, however much
// work of higher priority keeps coming.
const MaxOvertaking = 9 * AgingStep

// background is further behind than anything waits.
const background = 10 * 365 * 24 * time.Hour

// Rank orders the executions that wait: the earliest goes first. It is the time
// of creation, set back by AgingStep for each level of priority. That makes
// every execution age at the same pace, needs no clock to compare two of them,
// and never changes, so stores and queues can sort by it.
//
// A backfill goes behind everything else: it may keep a system busy for days,
// and what comes due meanwhile must not wait for it.
func (e Execution) Rank() time.Time {
	if e.Trigger == TriggerBackfill {
		return e.CreatedAt.Add(background)
	}
	return e.CreatedAt.Add(-time.Duration(e.Policy.Priority) * AgingStep)
}
