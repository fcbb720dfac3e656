package core

import "time"

// Backoff is how the delay between attempts grows.
type Backoff string

// The backoffs: the delay before attempt n+1, for delay d.
const (
	BackoffFixed       Backoff = "fixed"       // d
	BackoffLinear      Backoff = "linear"      // n × d
	BackoffExponential Backoff = "exponential" // 2^(n-1) × d
)

// RetryPolicy says how often and when a failed attempt is tried again.
type RetryPolicy struct {
	Attempts int     `json:"attempts"` // tries in all, with the first
	Delay    Millis  `json:"delay"`
	Backoff  Backoff `json:"backoff"`
	MaxDelay Millis  `json:"maxDelay"` // cap of a grown delay
	Jitter   bool    `json:"jitter"`   // spread each delay over ±10 %, and not beyond the cap, so that failures do not come back as a herd
}

const maxAttempts = 100

// After decides what follows a failed attempt, counted from 1: whether there is
// another one, and after how long. spread is a random number in [0, 1) and only
// matters with Jitter. A plugin's own RetryAfter is kept to exactly.
func (p RetryPolicy) After(attempt int, f *Failure, spread float64) (delay time.Duration, again bool) {
	switch f.Class {
	case ClassPermanent, ClassDenied, ClassCancelled:
		return 0, false
	}
	if attempt >= p.Attempts {
		return 0, false
	}
	if f.RetryAfter > 0 {
		return f.RetryAfter, true
	}
	d := p.grown(attempt)
	if p.Jitter {
		d = p.spread(d, spread)
	}
	return d, true
}

// spread moves a delay by up to a tenth. At the cap it only gets shorter: cut
// off there, half of them would come back at the same instant.
func (p RetryPolicy) spread(d time.Duration, at float64) time.Duration {
	least := 0.9 * float64(d)
	most := min(1.1*float64(d), float64(p.cap()))
	return min(time.Duration(least+(most-least)*at), p.cap())
}

// grown is the delay after attempt n before cap and jitter. It cannot overflow:
// growth stops at the cap.
func (p RetryPolicy) grown(n int) time.Duration {
	d, limit := p.Delay.Duration(), p.cap()
	switch p.Backoff {
	case BackoffLinear:
		if d > 0 && time.Duration(n) > limit/d {
			return limit
		}
		return d * time.Duration(n)
	case BackoffExponential:
		for i := 1; i < n && d < limit; i++ {
			d *= 2
		}
	}
	return min(d, limit)
}

func (p RetryPolicy) cap() time.Duration {
	if p.MaxDelay == 0 {
		return maxMillis.Duration()
	}
	return p.MaxDelay.Duration()
}

func (p RetryPolicy) check(out *problems) {
	out.within("/retryPolicy/attempts", p.Attempts, 1, maxAttempts)
	out.duration("/retryPolicy/delay", p.Delay)
	out.duration("/retryPolicy/maxDelay", p.MaxDelay)
	oneOf(out, "/retryPolicy/backoff", p.Backoff, BackoffFixed, BackoffLinear, BackoffExponential)
	if p.MaxDelay != 0 && p.MaxDelay < p.Delay {
		out.add("/retryPolicy/maxDelay", "%d is less than delay %d", p.MaxDelay, p.Delay)
	}
}
