package coretest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestLocker proves that a locker keeps the contract of core.Locker. open
// returns a locker that holds nothing, and a function that lets a time pass by
// the locker's clock: it moves a Clock, or sleeps.
func TestLocker(t *testing.T, open func(t testing.TB) (locker core.Locker, pass func(time.Duration))) {
	for behaviour, prove := range map[string]func(f *lockerFixture){
		"a lease names what it is":                             lockerNames,
		"a held lease is not given out again":                  lockerHeld,
		"leases on other names are independent":                lockerNamesApart,
		"an expired lease is free":                             lockerExpires,
		"renewing keeps a lease":                               lockerRenews,
		"a lost lease cannot be renewed":                       lockerLost,
		"a released lease is free":                             lockerReleases,
		"releasing a lost lease does not take the new owner's": lockerLateRelease,
		"tokens grow over expiry and release":                  lockerTokens,
		"a caller that has given up gets an error":             lockerContext,
		"of many who ask at once one holds the lease":          lockerHammer,
	} {
		t.Run(behaviour, func(t *testing.T) {
			locker, pass := open(t)
			prove(&lockerFixture{TB: t, Locker: locker, pass: pass})
		})
	}
}

type lockerFixture struct {
	testing.TB
	core.Locker
	pass func(time.Duration)
}

// lockTTL is long enough for a slow machine and short enough to sleep through.
const lockTTL = 400 * time.Millisecond

func (f *lockerFixture) acquire(name, owner string) core.NamedLease {
	f.Helper()
	l, err := f.Acquire(f.Context(), name, owner, lockTTL)
	require.NoError(f, err)
	return l
}

// requireHeld fails unless the name is held by the owner.
func (f *lockerFixture) requireHeld(name, owner string) {
	f.Helper()
	_, err := f.Acquire(f.Context(), name, "somebody", lockTTL)
	var held *core.LeaseHeldError
	require.ErrorAs(f, err, &held)
	require.Equal(f, name, held.Name)
	require.Equal(f, owner, held.Owner)
	require.False(f, held.Until.IsZero())
}

func lockerNames(f *lockerFixture) {
	l := f.acquire("janitor", "node-a")
	require.Equal(f, "janitor", l.Name)
	require.Equal(f, "node-a", l.Owner)
	require.Positive(f, l.Token)
	require.False(f, l.Until.IsZero())
}

func lockerHeld(f *lockerFixture) {
	f.acquire("janitor", "node-a")
	f.requireHeld("janitor", "node-a")
	_, err := f.Acquire(f.Context(), "janitor", "node-a", lockTTL)
	var held *core.LeaseHeldError
	require.ErrorAs(f, err, &held, "not even to its owner: two of its goroutines may ask")
}

func lockerNamesApart(f *lockerFixture) {
	a, b := f.acquire("a", "node-a"), f.acquire("b", "node-b")
	require.NoError(f, f.Release(f.Context(), a))
	f.requireHeld("b", "node-b")
	_, err := f.Renew(f.Context(), b, lockTTL)
	require.NoError(f, err)
}

func lockerExpires(f *lockerFixture) {
	f.acquire("janitor", "node-a")
	f.pass(lockTTL / 4)
	f.requireHeld("janitor", "node-a")
	f.pass(lockTTL)
	f.acquire("janitor", "node-b")
	f.requireHeld("janitor", "node-b")
}

func lockerRenews(f *lockerFixture) {
	l := f.acquire("janitor", "node-a")
	first := l
	for range 4 { // longer than one ttl in all
		f.pass(lockTTL / 2)
		renewed, err := f.Renew(f.Context(), l, lockTTL)
		require.NoError(f, err)
		require.True(f, renewed.Until.After(l.Until))
		l = renewed
	}
	require.Equal(f, []any{first.Name, first.Owner, first.Token}, []any{l.Name, l.Owner, l.Token})
	f.requireHeld("janitor", "node-a")
	_, err := f.Renew(f.Context(), first, lockTTL)
	require.NoError(f, err, "the token names the lease, not its end")
}

func lockerLost(f *lockerFixture) {
	expired := f.acquire("janitor", "node-a")
	f.pass(2 * lockTTL)
	_, err := f.Renew(f.Context(), expired, lockTTL)
	require.ErrorIs(f, err, core.ErrLeaseLost)

	f.acquire("janitor", "node-a") // the same owner, another lease
	_, err = f.Renew(f.Context(), expired, lockTTL)
	require.ErrorIs(f, err, core.ErrLeaseLost)
	_, err = f.Renew(f.Context(), core.NamedLease{Name: "unknown", Owner: "node-a", Token: 1}, lockTTL)
	require.ErrorIs(f, err, core.ErrLeaseLost)
}

func lockerReleases(f *lockerFixture) {
	l := f.acquire("janitor", "node-a")
	require.NoError(f, f.Release(f.Context(), l))
	require.NoError(f, f.Release(f.Context(), l), "releasing a lost lease is no error")
	_, err := f.Renew(f.Context(), l, lockTTL)
	require.ErrorIs(f, err, core.ErrLeaseLost)
	f.acquire("janitor", "node-b")
}

func lockerLateRelease(f *lockerFixture) {
	late := f.acquire("janitor", "node-a")
	f.pass(2 * lockTTL)
	f.acquire("janitor", "node-a")
	require.NoError(f, f.Release(f.Context(), late))
	f.requireHeld("janitor", "node-a")
}

func lockerTokens(f *lockerFixture) {
	var last int64
	for i := range 4 {
		l := f.acquire("janitor", "node-a")
		require.Greater(f, l.Token, last)
		last = l.Token
		if i%2 == 0 {
			require.NoError(f, f.Release(f.Context(), l))
			continue
		}
		f.pass(2 * lockTTL)
	}
}

func lockerContext(f *lockerFixture) {
	l := f.acquire("held", "node-a")
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, err := f.Acquire(ctx, "janitor", "node-a", lockTTL)
	require.Error(f, err)
	_, err = f.Renew(ctx, l, lockTTL)
	require.Error(f, err)
	require.NotErrorIs(f, err, core.ErrLeaseLost, "nobody knows whether it is lost")
	require.Error(f, f.Release(ctx, l))
	f.requireHeld("held", "node-a")
	f.acquire("janitor", "node-b")
}

func lockerHammer(f *lockerFixture) {
	const askers, rounds = 8, 20
	var holders, grants atomic.Int32
	errs := make([]error, askers)
	together(askers, func(i int) {
		for range rounds {
			l, err := f.Acquire(f.Context(), "janitor", fmt.Sprint("node-", i), time.Minute)
			if err != nil {
				continue
			}
			grants.Add(1)
			if n := holders.Add(1); n != 1 {
				errs[i] = fmt.Errorf("%d hold the lease", n)
			}
			holders.Add(-1)
			if err := f.Release(f.Context(), l); err != nil {
				errs[i] = err
			}
		}
	})
	for _, err := range errs {
		require.NoError(f, err)
	}
	require.Positive(f, grants.Load())
	f.acquire("janitor", "node-a")
}
