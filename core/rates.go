package core

import "time"

// Rates tells the rate limit of a task type; nil is none.
type Rates func(taskType string) *RateLimit

// Of lists what a start of an execution asks the limiter for: its type's rate
// and its own, nil if it has none.
func (r Rates) Of(taskType string, own *RateLimit) []LimitRequest {
	var all []LimitRequest
	if r != nil {
		if l := r(taskType); l != nil {
			all = append(all, LimitRequest{Key: TypeRateKey(taskType), Limit: l.Limit, Per: l.PerMs.Duration()})
		}
	}
	if own != nil {
		all = append(all, LimitRequest{Key: RateKey(own.Key), Limit: own.Limit, Per: own.PerMs.Duration()})
	}
	return all
}

// RateKey is the limiter's key of a rate that a task names.
func RateKey(key string) string { return "key " + key }

// TypeRateKey is the limiter's key of a type's rate.
func TypeRateKey(taskType string) string { return "type " + taskType }

// RateReporter tells when a rate is expected to have room. The engine is one.
type RateReporter interface {
	// RateOpensAt returns the instant for a key of the limiter: now or earlier
	// when it has room, as far as this node knows. now is the caller's, because
	// the caller compares the answer with it.
	RateOpensAt(now time.Time, key string) time.Time
}

// RateKey is the key of the execution's own rate limit, "" when it has none.
func (e Execution) RateKey() string {
	if e.Policy.RateLimit == nil {
		return ""
	}
	return e.Policy.RateLimit.Key
}
