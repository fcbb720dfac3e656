package plugins_test

import (
	"sync/atomic"
	"time"
)

// clock is the machine's, put forward: by how long another attempt has to wait.
// The platforms have it, and what the host knows of their limits.
type clock struct{ ahead atomic.Int64 }

// Now implements core.Clock.
func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }
