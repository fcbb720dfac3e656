package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/nexuscore/scheduler/core"
)

// Limiter is a core.Limiter in Postgres. The database's clock fills the
// allowances. It is safe for concurrent use.
type Limiter struct{ s *Store }

// Limiter meters the starts of all nodes that use the database.
func (p *Postgres) Limiter() *Limiter { return &Limiter{s: p.Store} }

// asking is how often one call asks under one key and rate. Times are in
// microseconds.
type asking struct {
	key             string
	distance, burst int64
	requests        []int // their places in the call
}

// Take asks for one start for each request, in order. A request without a
// positive limit and period makes the call fail, and nothing is taken. It is one
// statement; only a call with several rates for one key is a transaction of more.
func (l *Limiter) Take(ctx context.Context, requests []core.LimitRequest) ([]core.LimitDecision, error) {
	decisions := make([]core.LimitDecision, len(requests))
	for _, r := range requests {
		if r.Limit <= 0 || r.Per <= 0 {
			return nil, fmt.Errorf("take from limit %s: %d per %s is no rate", r.Key, r.Limit, r.Per)
		}
	}
	rounds := rounds(requests)
	if len(rounds) == 1 {
		err := l.s.read().takeRound(ctx, rounds[0], decisions)
		return decisions, l.s.wrap("take from limits", err)
	}
	err := l.s.write(ctx, "take from limits", func(ctx context.Context, c conn) error {
		for _, round := range rounds {
			if err := c.takeRound(ctx, round, decisions); err != nil {
				return err
			}
		}
		return nil
	})
	return decisions, err
}

// rounds divides the requests so that a key comes once in a round, in the order
// of the requests.
func rounds(requests []core.LimitRequest) [][]asking {
	var rounds [][]asking
	type place struct{ round, index int }
	last := map[string]place{}
	for i, r := range requests {
		// Rounded up, so that the rate is never above the limit.
		distance := int64((r.Per + time.Duration(r.Limit)*time.Microsecond - 1) / (time.Duration(r.Limit) * time.Microsecond))
		a := asking{key: r.Key, distance: distance, burst: distance * int64(r.Limit)}
		at, known := last[r.Key]
		if known {
			if same := &rounds[at.round][at.index]; same.distance == a.distance && same.burst == a.burst {
				same.requests = append(same.requests, i)
				continue
			}
			at.round++
		}
		if at.round == len(rounds) {
			rounds = append(rounds, nil)
		}
		a.requests = []int{i}
		rounds[at.round] = append(rounds[at.round], a)
		last[r.Key] = place{at.round, len(rounds[at.round]) - 1}
	}
	return rounds
}

// takeRound is the generic cell rate algorithm for several starts at once: of
// those asked for as many are given as fit before the allowance is used up. What
// a larger limit left behind, or a clock that was set back, holds a key no
// longer than its limit could.
func (c conn) takeRound(ctx context.Context, round []asking, decisions []core.LimitDecision) error {
	keys, numbers := make([]string, len(round)), [3][]int64{}
	byKey := make(map[string]asking, len(round))
	for i, a := range round {
		keys[i], byKey[a.key] = a.key, a
		for n, v := range []int64{int64(len(a.requests)), a.distance, a.burst} {
			numbers[n] = append(numbers[n], v)
		}
	}
	var rows []struct {
		Key     string `db:"key"`
		FullAt  int64  `db:"full_at"`
		At      int64  `db:"at"`
		Granted int    `db:"granted"`
	}
	err := c.list(ctx, &rows, `
		WITH clock (at) AS MATERIALIZED (
			SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
		INSERT INTO rate_limits AS r (key, full_at, at, asked, granted, distance, burst)
		SELECT key, at + LEAST(asked * distance, burst), at, asked, LEAST(asked, burst / distance), distance, burst
		FROM clock, unnest(?::text[], ?::bigint[], ?::bigint[], ?::bigint[]) AS v (key, asked, distance, burst)
		ORDER BY key -- everybody locks in this order
		ON CONFLICT (key) DO UPDATE SET
			(full_at, granted) = (
				SELECT used + fits * excluded.distance, fits
				FROM (SELECT GREATEST(LEAST(r.full_at, excluded.at + excluded.burst), excluded.at) AS used) AS u,
				LATERAL (SELECT LEAST(excluded.asked, (excluded.at + excluded.burst - used) / excluded.distance) AS fits) AS f),
			at = excluded.at, asked = excluded.asked, distance = excluded.distance, burst = excluded.burst
		RETURNING key, full_at, at, granted`,
		pq.StringArray(keys), pq.Int64Array(numbers[0]), pq.Int64Array(numbers[1]), pq.Int64Array(numbers[2]))
	if err != nil {
		return err
	}
	for _, r := range rows {
		a := byKey[r.Key]
		for n, i := range slices.All(a.requests) {
			if n < r.Granted {
				decisions[i] = core.LimitDecision{Allowed: true}
				continue
			}
			wait := max(1, r.FullAt+a.distance-r.At-a.burst)
			decisions[i] = core.LimitDecision{Wait: time.Duration(wait) * time.Microsecond}
		}
	}
	return nil
}

var _ core.Limiter = (*Limiter)(nil)
