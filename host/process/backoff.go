package process

import "time"

const (
	firstDelay = 200 * time.Millisecond
	maxDelay   = 30 * time.Second
)

// backoff spaces the starts of a process that keeps failing. The first failure
// in a row costs nothing. It is not safe for concurrent use.
type backoff struct {
	failures int // in a row
	until    time.Time
}

// failed counts a start that failed, or a process that crashed.
func (b *backoff) failed(now time.Time) {
	b.failures++
	delay := time.Duration(0)
	if n := b.failures - 2; n >= 0 {
		delay = min(firstDelay<<min(n, 16), maxDelay)
	}
	b.until = now.Add(delay)
}

// succeeded ends the row.
func (b *backoff) succeeded() { *b = backoff{} }

// wait says how long no start is allowed.
func (b *backoff) wait(now time.Time) time.Duration { return max(0, b.until.Sub(now)) }
