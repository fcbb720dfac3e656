package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	result := "acquired"
	timer := prometheus.NewTimer(prometheus.ObserverFunc(func(took float64) {
		l.metrics.locks.WithLabelValues(result).Observe(took)
	}))
	defer timer.ObserveDuration()
	lease, err := l.Locker.Acquire(ctx, name, owner, ttl)
	if _, held := errors.AsType[*core.LeaseHeldError](err); held {
		result = "held"
	} else if err != nil {
		result = "failed"
	}
	return lease, err
}
