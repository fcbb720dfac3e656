package coretest

import (
	"sync"
	"testing"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Epoch is the instant at which a new Clock stands and at which Task and
// Execution date what they build.
func Epoch() time.Time { return time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC) }

// Clock is a core.Clock that stands still until the test moves it. It is safe
// for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at Epoch. When the test fails it logs
// where the clock stood.
func NewClock(t testing.TB) *Clock {
	c := &Clock{now: Epoch()}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the clock stood at %s, %s after the start", c.Now().Format(time.RFC3339Nano), c.Now().Sub(Epoch()))
		}
	})
	return c
}

// Now returns the time the clock stands at.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d and returns the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Set moves the clock to t, forward or back.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

var _ core.Clock = (*Clock)(nil)
