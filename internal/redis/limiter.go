package redis

import (
	"context"
	"fmt"
	"time"

	driver "github.com/redis/go-redis/v9"

	"github.com/nexuscore/scheduler/core"
)

// Limiter is a core.Limiter for all nodes that share a Redis: the generic cell
// rate algorithm in one script, by the server's clock, in whole microseconds.
// It is safe for concurrent use.
//
// The distance between two starts is rounded up to the microsecond, so that the
// rate is never above the limit; a limit above one start per microsecond gets
// one per microsecond. A key is forgotten once its whole allowance is back. A
// flush or a restart without persistence gives every key its whole allowance
// again: per event, up to limit starts too many. An answer that was lost on the
// way has taken a start that nobody makes.
type Limiter struct {
	client *Client
}

// NewLimiter returns a limiter on a client.
func NewLimiter(c *Client) *Limiter { return &Limiter{client: c} }

// longest bounds periods so that every sum of the script stays a whole number
// in a double.
const longest = 100 * 365 * 24 * time.Hour

// takeScript gets a key for each request, and for each the distance between
// starts and the burst in microseconds. A key holds when its whole allowance
// will be back. It answers the wait of each request, 0 when it may start.
//
// What a larger limit left behind, or a clock that was set back, must not hold
// a key longer than this limit could: that is the first math.min.
var takeScript = driver.NewScript(`
	local t = redis.call('TIME')
	local now = t[1] * 1000000 + t[2]
	local waits = {}
	for i, key in ipairs(KEYS) do
		local distance, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
		local full = math.min(tonumber(redis.call('GET', key) or now), now + burst)
		local next = math.max(full, now) + distance
		waits[i] = math.max(0, next - now - burst)
		if waits[i] == 0 then
			redis.call('SET', key, string.format('%.0f', next), 'PX', string.format('%.0f', math.ceil((next - now) / 1000)))
		end
	end
	return waits`)

// Take asks for one start for each request, in order and in one round trip. A
// request without a positive limit and period, or with a period over 100 years,
// makes the call fail, and nothing is taken. It fails with UNAVAILABLE when
// Redis does not answer.
func (l *Limiter) Take(ctx context.Context, requests []core.LimitRequest) ([]core.LimitDecision, error) {
	if len(requests) == 0 {
		return nil, ctx.Err()
	}
	keys, args := make([]string, len(requests)), make([]any, 0, 2*len(requests))
	for i, r := range requests {
		if r.Limit <= 0 || r.Per <= 0 || r.Per > longest || r.Limit > int(longest.Microseconds()) {
			return nil, fmt.Errorf("take from limit %s: %d per %s is no rate", r.Key, r.Limit, r.Per)
		}
		per := (r.Per + time.Microsecond - 1).Microseconds()
		distance := (per + int64(r.Limit) - 1) / int64(r.Limit)
		keys[i], args = l.key(r.Key), append(args, distance, distance*int64(r.Limit))
	}
	waits, err := l.client.run(ctx, "take from limits", takeScript, keys, args...)
	if err != nil {
		return nil, err
	}
	return decide(waits)
}

// decide turns waits in microseconds into decisions.
func decide(waits []any) ([]core.LimitDecision, error) {
	decisions := make([]core.LimitDecision, len(waits))
	for i, v := range waits {
		wait, err := integer(v)
		if err != nil {
			return nil, fmt.Errorf("take from limits: %w", err)
		}
		decisions[i] = core.LimitDecision{Allowed: wait == 0, Wait: time.Duration(wait) * time.Microsecond}
	}
	return decisions, nil
}

// key puts all limits into one hash slot: a script of a cluster may only touch
// keys of one.
func (l *Limiter) key(key string) string { return l.client.cfg.Prefix + ":{limit}:" + key }

var _ core.Limiter = (*Limiter)(nil)
