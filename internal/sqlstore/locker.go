package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Locker is a core.Locker in Postgres. The database's clock decides when leases
// end. It is safe for concurrent use.
type Locker struct{ s *Store }

// Locker hands out leases to all nodes that use the database.
func (p *Postgres) Locker() *Locker { return &Locker{s: p.Store} }

// heldRow is a lease as it is stored.
type heldRow struct {
	Owner string    `db:"owner"`
	Token int64     `db:"token"`
	Until timestamp `db:"lock_until"`
	Held  bool      `db:"held"`
}

// Acquire takes the lease for ttl, or fails with a *core.LeaseHeldError. A held
// lease is not given out again, not even to its owner.
func (l *Locker) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (core.NamedLease, error) {
	for {
		lease, err := l.take(ctx, name, owner, ttl)
		if !errors.Is(err, sql.ErrNoRows) {
			return lease, l.s.wrap("acquire lease "+name, err)
		}
		held, err := l.holder(ctx, name)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue // it was forgotten between the two statements
		case err != nil:
			return core.NamedLease{}, l.s.wrap("acquire lease "+name, err)
		case held.Held:
			return core.NamedLease{}, &core.LeaseHeldError{Name: name, Owner: held.Owner, Until: held.Until.Time}
		}
	}
}

// take stores the lease unless somebody holds it: then there is no row. The row
// of a released lease stays, so that a token is drawn while it is locked and is
// greater than all before.
func (l *Locker) take(ctx context.Context, name, owner string, ttl time.Duration) (core.NamedLease, error) {
	var row heldRow
	err := l.s.read().get(ctx, &row, `
		INSERT INTO task_locks (id, name, owner, token, lock_until)
		VALUES (?, ?, ?, nextval('lock_tokens'), clock_timestamp() + ?::bigint * interval '1 microsecond')
		ON CONFLICT (name) DO UPDATE SET
			owner = excluded.owner, token = nextval('lock_tokens'), created_at = clock_timestamp(),
			lock_until = clock_timestamp() + ?::bigint * interval '1 microsecond'
		WHERE task_locks.lock_until <= clock_timestamp()
		RETURNING owner, token, lock_until`,
		core.NewID(), name, owner, ttl.Microseconds(), ttl.Microseconds())
	return core.NamedLease{Name: name, Owner: owner, Token: row.Token, Until: row.Until.Time}, err
}

func (l *Locker) holder(ctx context.Context, name string) (row heldRow, err error) {
	return row, l.s.read().get(ctx, &row, `
		SELECT owner, token, lock_until, lock_until > clock_timestamp() AS held FROM task_locks WHERE name = ?`, name)
}

// Renew extends a lease that is still held, or fails with core.ErrLeaseLost.
func (l *Locker) Renew(ctx context.Context, lease core.NamedLease, ttl time.Duration) (core.NamedLease, error) {
	var until timestamp
	err := l.s.read().get(ctx, &until, `
		UPDATE task_locks SET lock_until = clock_timestamp() + ?::bigint * interval '1 microsecond'
		WHERE name = ? AND token = ? AND lock_until > clock_timestamp()
		RETURNING lock_until`, ttl.Microseconds(), lease.Name, lease.Token)
	if errors.Is(err, sql.ErrNoRows) {
		return core.NamedLease{}, fmt.Errorf("renew lease %s: %w", lease.Name, core.ErrLeaseLost)
	}
	if err != nil {
		return core.NamedLease{}, l.s.wrap("renew lease "+lease.Name, err)
	}
	lease.Until = until.Time
	return lease, nil
}

// Release gives the lease up. Releasing a lost lease does nothing.
func (l *Locker) Release(ctx context.Context, lease core.NamedLease) error {
	_, err := l.s.read().exec(ctx, `
		UPDATE task_locks SET lock_until = clock_timestamp()
		WHERE name = ? AND token = ? AND lock_until > clock_timestamp()`, lease.Name, lease.Token)
	return l.s.wrap("release lease "+lease.Name, err)
}

var _ core.Locker = (*Locker)(nil)
