package core

import "time"

// Rates tells the rate limit of a task type; nil is none.
type Rates func(taskType string) *RateLimit

// Of lists what a start of the execution asks the limiter for: its type's rate
// and its own.
func (r Rates) Of(e Execution) []LimitRequest {
	var all []LimitRequest
	if r != nil {
		if l := r(e.Type); l != nil {
			all = append(all, LimitRequest{Key: TypeRateKey(e.Type), Limit: l.Limit, Per: l.PerMs.Duration()})
		}
	}
	if l := e.Policy.RateLimit; l != nil {
		all = append(all, LimitRequest{Key: RateKey(l.Key), Limit: l.Limit, Per: l.PerMs.Duration()})
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
	// when it has room, as far as this node knows.
	RateOpensAt(key string) time.Time
}

// RateKey is the key of the execution's own rate limit, "" when it has none.
func (e Execution) RateKey() string {
	if e.Policy.RateLimit == nil {
		return ""
	}
	return e.Policy.RateLimit.Key
}
