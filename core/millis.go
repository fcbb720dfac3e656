package core

import "time"

// Millis is a duration in whole milliseconds, the unit of the REST contract and
// of stored policies.
type Millis int64

// Duration converts to the unit the code computes with.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// MillisOf rounds d down to whole milliseconds.
func MillisOf(d time.Duration) Millis { return Millis(d.Milliseconds()) }

// maxMillis bounds every duration a user may give: ten years. Larger ones are
// mistakes, and sums of two still fit a time.Duration.
const maxMillis = Millis(10 * 366 * 24 * 3600 * 1000)
