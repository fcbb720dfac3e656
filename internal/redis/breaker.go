package redis

import (
	"sync"
	"time"
)

// breaker keeps callers away from a service that does not answer: after a
// failure it is open for a while, then one caller at a time may try.
type breaker struct {
	pause time.Duration

	mu     sync.Mutex
	open   bool
	until  time.Time // when the next try may be made
	since  time.Time // of the current state
	reason error     // of being open
}

// allow tells whether to ask the service. While open it allows one try each
// pause.
func (b *breaker) allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(b.pause)
	return true
}

// report tells how a call ended and whether that changed the state.
func (b *breaker) report(now time.Time, err error) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = b.open != (err != nil)
	if changed {
		b.since = now
	}
	b.open, b.reason = err != nil, err
	if b.open {
		b.until = now.Add(b.pause)
	}
	return changed
}

// state returns since when and why the breaker is open; reason is nil while it
// is closed.
func (b *breaker) state() (since time.Time, reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since, b.reason
}
