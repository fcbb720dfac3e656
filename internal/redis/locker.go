package redis

import (
	"context"
	"fmt"
	"time"

	driver "github.com/redis/go-redis/v9"

	"github.com/nexuscore/scheduler/core"
)

// Locker is a core.Locker for all nodes that share a Redis. Leases begin and
// end by the server's clock. It is safe for concurrent use.
//
// A token is the server's time in microseconds, or one more than the name's
// last token where that is greater. So tokens grow even when Redis has lost its
// memory, as long as its clock was not also set back to before the last lease;
// after a failover the new server's clock takes the part of the old one's.
//
// Redis promises less than the store: a flush, a restart without persistence or
// a failover frees a lease early, and its holder then fails to renew with
// core.ErrLeaseLost. An Acquire whose answer was lost on the way may leave the
// name held until its ttl ends.
type Locker struct {
	client *Client
}

// NewLocker returns a locker on a client.
func NewLocker(c *Client) *Locker { return &Locker{client: c} }

// leaseMemory is how long Redis remembers a name's last token after the lease
// has ended, in milliseconds: a day.
const leaseMemory = 86_400_000

// A lease is one hash, so that its script touches one key: token, owner and
// until (microseconds, 0 when released). Numbers are written with %.0f: they have
// 16 digits, and Lua's own conversion would keep 14 of them.
var (
	acquireScript = driver.NewScript(`
		local t = redis.call('TIME')
		local now = t[1] * 1000000 + t[2]
		local lease = redis.call('HMGET', KEYS[1], 'token', 'owner', 'until')
		local ends = tonumber(lease[3] or 0)
		if ends > now then return {0, lease[2], ends} end
		local token = math.max(now, tonumber(lease[1] or 0) + 1)
		ends = now + ARGV[2]
		redis.call('HSET', KEYS[1], 'token', string.format('%.0f', token), 'owner', ARGV[1], 'until', string.format('%.0f', ends))
		redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(ARGV[2] / 1000) + ARGV[3]))
		return {1, token, ends}`)

	renewScript = driver.NewScript(`
		local t = redis.call('TIME')
		local now = t[1] * 1000000 + t[2]
		local lease = redis.call('HMGET', KEYS[1], 'token', 'until')
		if lease[1] ~= ARGV[1] or tonumber(lease[2]) <= now then return {0} end
		local ends = now + ARGV[2]
		redis.call('HSET', KEYS[1], 'until', string.format('%.0f', ends))
		redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(ARGV[2] / 1000) + ARGV[3]))
		return {1, ends}`)

	releaseScript = driver.NewScript(`
		if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', '0') end
		return {1}`)
)

// Acquire takes the lease for ttl, counted in microseconds, or fails with a
// *core.LeaseHeldError. A held lease is not given out again, not even to its
// owner. It fails with UNAVAILABLE when Redis does not answer.
func (l *Locker) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (core.NamedLease, error) {
	operation := "acquire lease " + name
	answer, err := l.client.run(ctx, operation, acquireScript, l.key(name), owner, ttl.Microseconds(), leaseMemory)
	if err != nil {
		return core.NamedLease{}, err
	}
	until, err := integer(answer[2])
	if err != nil {
		return core.NamedLease{}, fmt.Errorf("%s: %w", operation, err)
	}
	if answer[0] == int64(0) {
		holder, _ := answer[1].(string)
		return core.NamedLease{}, &core.LeaseHeldError{Name: name, Owner: holder, Until: time.UnixMicro(until).UTC()}
	}
	token, err := integer(answer[1])
	if err != nil {
		return core.NamedLease{}, fmt.Errorf("%s: %w", operation, err)
	}
	return core.NamedLease{Name: name, Owner: owner, Token: token, Until: time.UnixMicro(until).UTC()}, nil
}

// Renew extends a lease that is still held to ttl from now, or fails with
// core.ErrLeaseLost. It fails with UNAVAILABLE when Redis does not answer; then
// nobody knows whether the lease is held, and it ends at its Until at the
// latest.
func (l *Locker) Renew(ctx context.Context, lease core.NamedLease, ttl time.Duration) (core.NamedLease, error) {
	operation := "renew lease " + lease.Name
	answer, err := l.client.run(ctx, operation, renewScript, l.key(lease.Name), lease.Token, ttl.Microseconds(), leaseMemory)
	if err != nil {
		return core.NamedLease{}, err
	}
	if answer[0] == int64(0) {
		return core.NamedLease{}, fmt.Errorf("%s: %w", operation, core.ErrLeaseLost)
	}
	until, err := integer(answer[1])
	if err != nil {
		return core.NamedLease{}, fmt.Errorf("%s: %w", operation, err)
	}
	lease.Until = time.UnixMicro(until).UTC()
	return lease, nil
}

// Release gives the lease up. Releasing a lost lease does nothing.
func (l *Locker) Release(ctx context.Context, lease core.NamedLease) error {
	_, err := l.client.run(ctx, "release lease "+lease.Name, releaseScript, l.key(lease.Name), lease.Token)
	return err
}

func (l *Locker) key(name string) []string { return []string{l.client.cfg.Prefix + ":lease:" + name} }

var _ core.Locker = (*Locker)(nil)
