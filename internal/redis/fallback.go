package redis

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// FallbackConfig names the two services of a Fallback.
type FallbackConfig struct {
	Locker  core.Locker  // of Redis. Required.
	Limiter core.Limiter // of Redis. Required.

	SecondLocker  core.Locker  // takes over, usually the store's. Required.
	SecondLimiter core.Limiter // takes over, usually the store's. Required.

	// Pause is how long Redis is left alone after a call it did not answer.
	// Defaults to 2 s.
	Pause time.Duration
	// Logger hears about every change of sides. Defaults to none.
	Logger hclog.Logger
	// Clock measures the pause. Defaults to the machine's.
	Clock core.Clock
}

// Fallback is a core.Locker and a core.Limiter on Redis that goes on with a
// second one while Redis does not answer (its calls fail with UNAVAILABLE). It
// tries Redis again after each pause with the next call, so a lost Redis costs
// one call its timeout per pause. It is safe for concurrent use.
//
// What that means for exactness:
//
//   - A limit: the side that takes over starts with the allowance it remembers,
//     at most a whole one. So each change of sides may let up to limit starts
//     through beyond the rate. While some nodes reach Redis and others do not,
//     both sides are in use and the rate may be doubled.
//   - A lease: a holder on the side that was left keeps its lease until it ends,
//     and the other side does not know. So for at most its ttl after a change of
//     sides, and for as long as only some nodes reach Redis, two may hold a
//     name. The store's fencing of executions does not depend on these leases.
//   - A token grows over a change of sides only as far as both sides take their
//     tokens from the time, as Locker does, and their clocks agree.
type Fallback struct {
	cfg     FallbackConfig
	breaker breaker
}

// NewFallback returns a fallback that begins with Redis.
func NewFallback(cfg FallbackConfig) *Fallback {
	cfg.Pause = cmp.Or(cfg.Pause, 2*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Clock == nil {
		cfg.Clock = core.SystemClock{}
	}
	return &Fallback{cfg: cfg, breaker: breaker{pause: cfg.Pause, since: cfg.Clock.Now()}}
}

// FallbackState says which side is in use.
type FallbackState struct {
	Degraded bool      // the second side is in use
	Since    time.Time // of the last change, or the start
	Reason   error     // why Redis is not in use, for the log
}

// State returns which side is in use.
func (f *Fallback) State() FallbackState {
	since, reason := f.breaker.state()
	return FallbackState{Degraded: reason != nil, Since: since, Reason: reason}
}

// Take asks Redis, and the second limiter when Redis does not answer.
func (f *Fallback) Take(ctx context.Context, requests []core.LimitRequest) (decisions []core.LimitDecision, err error) {
	answered, _ := f.ask(func() error {
		decisions, err = f.cfg.Limiter.Take(ctx, requests)
		return err
	})
	if answered {
		return decisions, err
	}
	return f.cfg.SecondLimiter.Take(ctx, requests)
}

// Acquire asks Redis, and the second locker when Redis does not answer.
func (f *Fallback) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (lease core.NamedLease, err error) {
	answered, _ := f.ask(func() error {
		lease, err = f.cfg.Locker.Acquire(ctx, name, owner, ttl)
		return err
	})
	if answered {
		return lease, err
	}
	return f.cfg.SecondLocker.Acquire(ctx, name, owner, ttl)
}

// Renew extends a lease on the side that knows it. While Redis does not answer
// and the second side does not know the lease either, nobody can tell whether
// it is held: then it fails with UNAVAILABLE and not with core.ErrLeaseLost.
func (f *Fallback) Renew(ctx context.Context, l core.NamedLease, ttl time.Duration) (core.NamedLease, error) {
	var lease core.NamedLease
	answered, err := f.ask(func() (err error) {
		lease, err = f.cfg.Locker.Renew(ctx, l, ttl)
		return err
	})
	if answered && !errors.Is(err, core.ErrLeaseLost) {
		return lease, err
	}
	second, secondErr := f.cfg.SecondLocker.Renew(ctx, l, ttl)
	if !answered && errors.Is(secondErr, core.ErrLeaseLost) {
		return core.NamedLease{}, unavailable("renew lease "+l.Name, err)
	}
	return second, secondErr
}

// Release gives the lease up on both sides, because it may be of either. A
// lease of Redis that is released while Redis does not answer ends with its
// ttl.
func (f *Fallback) Release(ctx context.Context, l core.NamedLease) error {
	answered, err := f.ask(func() error { return f.cfg.Locker.Release(ctx, l) })
	if !answered {
		err = nil
	}
	return errors.Join(err, f.cfg.SecondLocker.Release(ctx, l))
}

// ask calls Redis unless it has just failed. answered is false when there was
// no answer; err then says why.
func (f *Fallback) ask(call func() error) (answered bool, err error) {
	if !f.breaker.allow(f.cfg.Clock.Now()) {
		_, reason := f.breaker.state()
		return false, reason
	}
	err = call()
	var silent error
	switch {
	case core.CodeOf(err) == core.CodeUnavailable:
		silent = err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return true, err // the caller's doing: says nothing about Redis
	}
	if f.breaker.report(f.cfg.Clock.Now(), silent) {
		f.announce(silent)
	}
	return silent == nil, err
}

func (f *Fallback) announce(reason error) {
	if reason != nil {
		f.cfg.Logger.Warn("redis does not answer: leases and limits go on without it", "error", reason)
		return
	}
	f.cfg.Logger.Info("redis answers: leases and limits are on it again")
}

var (
	_ core.Locker  = (*Fallback)(nil)
	_ core.Limiter = (*Fallback)(nil)
)
