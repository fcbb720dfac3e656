package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// locker is a core.Locker whose acquisitions are timed.
type locker struct {
	core.Locker
	metrics *Metrics
}

// Locker times the acquisitions of a locker: acquired, held by another, failed.
func (m *Metrics) Locker(l core.Locker) core.Locker { return locker{l, m} }

// Acquire implements core.Locker.
func (l locker) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (core.NamedLease, error) {
	begin := time.Now()
	lease, err := l.Locker.Acquire(ctx, name, owner, ttl)
	result := "acquired"
	if _, held := errors.AsType[*core.LeaseHeldError](err); held {
		result = "held"
	} else if err != nil {
		result = "failed"
	}
	l.metrics.locks.WithLabelValues(result).Observe(time.Since(begin).Seconds())
	return lease, err
}
