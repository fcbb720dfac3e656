package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Locker is a core.Locker for one process. Its memory is bounded by the leases
// that are held: expired ones are forgotten. It is safe for concurrent use. Its
// zero value is not useful; NewLocker makes one.
type Locker struct {
	clock core.Clock

	mu     sync.Mutex
	token  int64                   // the last one given out, whatever the name
	leases *index[core.NamedLease] // by name; the first to expire first
}

// NewLocker returns a locker whose clock decides when leases expire.
func NewLocker(clock core.Clock) *Locker {
	return &Locker{clock: clock, leases: newIndex(func(a, b core.NamedLease) int { return a.Until.Compare(b.Until) })}
}

// Acquire takes the lease for ttl, or fails with a *core.LeaseHeldError. A held
// lease is not given out again, not even to its owner.
func (l *Locker) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (core.NamedLease, error) {
	if err := ctx.Err(); err != nil {
		return core.NamedLease{}, fmt.Errorf("acquire lease %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.expire()
	if held, ok := l.held(name); ok {
		return core.NamedLease{}, &core.LeaseHeldError{Name: name, Owner: held.Owner, Until: held.Until}
	}
	l.token++
	lease := core.NamedLease{Name: name, Owner: owner, Token: l.token, Until: now.Add(ttl)}
	l.leases.set(name, lease)
	return lease, nil
}

// Renew extends a lease that is still held, or fails with core.ErrLeaseLost.
func (l *Locker) Renew(ctx context.Context, lease core.NamedLease, ttl time.Duration) (core.NamedLease, error) {
	if err := ctx.Err(); err != nil {
		return core.NamedLease{}, fmt.Errorf("renew lease %s: %w", lease.Name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.expire()
	held, ok := l.held(lease.Name)
	if !ok || held.Token != lease.Token {
		return core.NamedLease{}, fmt.Errorf("renew lease %s: %w", lease.Name, core.ErrLeaseLost)
	}
	held.Until = now.Add(ttl)
	l.leases.set(held.Name, held)
	return held, nil
}

// Release gives the lease up. Releasing a lost lease does nothing.
func (l *Locker) Release(ctx context.Context, lease core.NamedLease) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("release lease %s: %w", lease.Name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.held(lease.Name); ok && held.Token == lease.Token {
		l.leases.remove(lease.Name)
	}
	return nil
}

// expire forgets the leases that have ended and returns the time.
func (l *Locker) expire() time.Time {
	now := l.clock.Now()
	for {
		name, lease, ok := l.leases.first()
		if !ok || now.Before(lease.Until) {
			return now
		}
		l.leases.remove(name)
	}
}

func (l *Locker) held(name string) (core.NamedLease, bool) {
	i, ok := l.leases.at[name]
	if !ok {
		return core.NamedLease{}, false
	}
	return l.leases.entries[i].value, true
}

var _ core.Locker = (*Locker)(nil)
