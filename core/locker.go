package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Locker hands out leases on names. A lease has at most one owner until it
// expires or is released. Locks keep nodes from doing the same work twice; the
// store alone keeps the promises, so a locker that vanishes costs only work.
type Locker interface {
	// Acquire takes the lease for ttl, or fails with a *LeaseHeldError. The
	// token is greater than that of every earlier lease on the name.
	Acquire(ctx context.Context, name, owner string, ttl time.Duration) (NamedLease, error)
	// Renew extends a lease that is still held, or fails with ErrLeaseLost; the
	// caller must then stop what it does under the lease.
	Renew(ctx context.Context, l NamedLease, ttl time.Duration) (NamedLease, error)
	// Release gives the lease up. Releasing a lost lease is not an error.
	Release(ctx context.Context, l NamedLease) error
}

// NamedLease is a held lease.
type NamedLease struct {
	Name  string
	Owner string
	Token int64
	Until time.Time // by the locker's clock
}

// ErrLeaseLost says that a lease has expired or changed hands.
var ErrLeaseLost = errors.New("lease lost")

// LeaseHeldError says that somebody else holds the lease.
type LeaseHeldError struct {
	Name  string
	Owner string
	Until time.Time
}

// Error names the holder.
func (e *LeaseHeldError) Error() string {
	return fmt.Sprintf("lease %s is held by %s until %s", e.Name, e.Owner, e.Until.UTC().Format(time.RFC3339))
}
