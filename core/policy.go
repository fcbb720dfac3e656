package core

import "time"

// DeliveryPolicy is the promise about an execution that may have had its effect
// when its attempt ends badly.
type DeliveryPolicy string

// The delivery policies.
const (
	// AtLeastOnce tries it again, as the retry policy says. The default.
	AtLeastOnce DeliveryPolicy = "at_least_once"
	// AtMostOnce does not: it ends as lost when its worker vanished, and as failed
	// when its attempt failed. Only a failure that names the time of the next
	// attempt itself, as after a 429, is followed by one: whoever made it knows that
	// what is left may be done. So is one for which there was no plugin to run.
	AtMostOnce DeliveryPolicy = "at_most_once"
)

// Policy says how a task's executions are run. Each execution keeps the policy
// that was in force when it was planned.
type Policy struct {
	Misfire        Misfire        `json:"misfire"`
	Overlap        OverlapPolicy  `json:"overlap"`
	Priority       int            `json:"priority"` // 0 to 9, 9 first
	TimeoutMs      Millis         `json:"timeoutMs"`
	Delivery       DeliveryPolicy `json:"delivery"`
	RetryPolicy    RetryPolicy    `json:"retryPolicy"`
	ConcurrencyKey string         `json:"concurrencyKey"` // executions with the same key share maxConcurrency
	MaxConcurrency int            `json:"maxConcurrency"`
	// DependencyPolicy says how it waits for the tasks in dependsOn.
	DependencyPolicy DependencyPolicy `json:"dependencyPolicy"`
	// PauseAfterFailures pauses the task when so many executions in a row have
	// failed, not counting DEPENDENCY_FAILED; 0 never does.
	PauseAfterFailures int        `json:"pauseAfterFailures"`
	RateLimit          *RateLimit `json:"rateLimit"`
	Alerts             Alerts     `json:"alerts"`
}

// RateLimit bounds how many executions with the same key start in a period.
type RateLimit struct {
	Key   string `json:"key"` // default: the task's id
	Limit int    `json:"limit"`
	PerMs Millis `json:"perMs"`
}

// Defaults are the operator's answers to what a task leaves open.
type Defaults struct {
	Timeout       time.Duration // DEFAULT_TIMEOUT
	RetryAttempts int           // RETRY_ATTEMPTS
	RetryDelay    time.Duration // RETRY_DELAY
}

// Policy returns the policy of a task that says nothing about it.
func (d Defaults) Policy() Policy {
	return Policy{
		Misfire:   Misfire{Policy: MisfireLatest, WindowMs: MillisOf(time.Hour)},
		Overlap:   OverlapSkip,
		Priority:  5,
		TimeoutMs: MillisOf(d.Timeout),
		Delivery:  AtLeastOnce,
		RetryPolicy: RetryPolicy{
			Attempts: d.RetryAttempts,
			Delay:    MillisOf(d.RetryDelay),
			Backoff:  BackoffExponential,
			MaxDelay: MillisOf(max(time.Hour, d.RetryDelay)),
			Jitter:   true,
		},
		MaxConcurrency:   1,
		DependencyPolicy: DependencyPolicy{Condition: OnSuccess, OnFailure: DependencyFails, TimeoutMs: MillisOf(24 * time.Hour)},
		Alerts:           Alerts{Missed: true, Failed: true},
	}
}

func (p Policy) check(out *problems) {
	p.Misfire.check(out)
	oneOf(out, "/overlap", p.Overlap, OverlapSkip, OverlapQueue, OverlapQueueAll, OverlapCancelPrevious, OverlapAllow)
	out.within("/priority", p.Priority, 0, 9)
	if p.TimeoutMs <= 0 {
		out.add("/timeoutMs", "%d is not positive", p.TimeoutMs)
	}
	out.duration("/timeoutMs", p.TimeoutMs)
	oneOf(out, "/delivery", p.Delivery, AtLeastOnce, AtMostOnce)
	p.RetryPolicy.check(out)
	out.text("/concurrencyKey", p.ConcurrencyKey, 0, 200)
	out.within("/maxConcurrency", p.MaxConcurrency, 1, 10_000)
	p.DependencyPolicy.check(out)
	out.within("/pauseAfterFailures", p.PauseAfterFailures, 0, 1000)
	p.Alerts.check(out)
	if p.RateLimit != nil {
		out.text("/rateLimit/key", p.RateLimit.Key, 0, 200)
		out.within("/rateLimit/limit", p.RateLimit.Limit, 1, 1_000_000)
		if p.RateLimit.PerMs <= 0 {
			out.add("/rateLimit/perMs", "%d is not positive", p.RateLimit.PerMs)
		}
		out.duration("/rateLimit/perMs", p.RateLimit.PerMs)
	}
}
