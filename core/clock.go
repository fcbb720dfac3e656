package core

import "time"

// Clock tells the time. Decisions take the time as a parameter; a Clock is for
// the few places that start from "now".
type Clock interface {
	Now() time.Time
}

// SystemClock is the machine's clock. It is safe for concurrent use.
type SystemClock struct{}

// Now returns the current time with its monotonic reading.
func (SystemClock) Now() time.Time { return time.Now() }
