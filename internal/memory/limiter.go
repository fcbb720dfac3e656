package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Limiter is a core.Limiter for one process. Its memory is bounded by the keys
// that are in use: one whose whole allowance is back is forgotten. It is safe
// for concurrent use. Its zero value is not useful; NewLimiter makes one.
type Limiter struct {
	clock core.Clock

	mu sync.Mutex
	// full is by key when its whole allowance will be back: the theoretical
	// arrival time of GCRA.
	full *index[time.Time]
}

// NewLimiter returns a limiter whose clock fills the allowances.
func NewLimiter(clock core.Clock) *Limiter {
	return &Limiter{clock: clock, full: newIndex(time.Time.Compare)}
}

// Take asks for one start for each request, in order. A request without a
// positive limit and period makes the call fail, and nothing is taken.
func (l *Limiter) Take(ctx context.Context, requests []core.LimitRequest) ([]core.LimitDecision, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("take from limits: %w", err)
	}
	for _, r := range requests {
		if r.Limit <= 0 || r.Per <= 0 {
			return nil, fmt.Errorf("take from limit %s: %d per %s is no rate", r.Key, r.Limit, r.Per)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	l.forget(now)
	decisions := make([]core.LimitDecision, len(requests))
	for i, r := range requests {
		decisions[i] = l.take(r, now)
	}
	return decisions, nil
}

// take is one step of GCRA. The distance between starts is rounded up to the
// nanosecond, so that the rate is never above the limit.
func (l *Limiter) take(r core.LimitRequest, now time.Time) core.LimitDecision {
	distance := (r.Per + time.Duration(r.Limit) - 1) / time.Duration(r.Limit)
	burst := distance * time.Duration(r.Limit)
	full := now
	if i, ok := l.full.at[r.Key]; ok {
		full = l.full.entries[i].value
	}
	// What a larger limit left behind, or a clock that was set back, must not
	// hold the key longer than this limit could.
	full = earlier(full, now.Add(burst))
	next := full.Add(distance)
	if wait := next.Sub(now) - burst; wait > 0 {
		return core.LimitDecision{Wait: wait}
	}
	l.full.set(r.Key, next)
	return core.LimitDecision{Allowed: true}
}

// forget drops the keys whose allowance is whole.
func (l *Limiter) forget(now time.Time) {
	for {
		key, full, ok := l.full.first()
		if !ok || full.After(now) {
			return
		}
		l.full.remove(key)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

var _ core.Limiter = (*Limiter)(nil)
