package core

import (
	"context"
	"time"
)

// Limiter meters starts by key with the generic cell rate algorithm (GCRA, ITU-T
// I.371): up to limit at once, then one each per/limit.
type Limiter interface {
	// Take asks for one start for each request, in order. A request that is
	// refused takes nothing and is told when to ask again. One call costs one
	// round trip however many requests it has.
	Take(ctx context.Context, requests []LimitRequest) ([]LimitDecision, error)
}

// LimitRequest asks for one start under a key.
type LimitRequest struct {
	Key   string
	Limit int
	Per   time.Duration
}

// LimitDecision allows a start or says how long to wait.
type LimitDecision struct {
	Allowed bool
	Wait    time.Duration // 0 when allowed
}
