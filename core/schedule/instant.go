package schedule

import (
	"math"
	"time"
)

// Instants inside this package are microseconds since the Unix epoch; wall-clock
// times are seconds since 1970-01-01 00:00 on the clock of the zone, as if it
// were UTC.
const (
	second = int64(1_000_000)
	day    = int64(86_400) // of wall-clock time, in seconds

	minYear = 1970
	maxYear = 2199

	minMicros = int64(0)                 // 1970-01-01T00:00:00Z
	maxMicros = 7_258_118_400*second - 1 // 2199-12-31T23:59:59.999999Z
	maxWall   = int64(7_258_118_400) - 1 // 2199-12-31 23:59:59
	farPast   = math.MinInt64 / 4        // before every instant asked for
	farFuture = math.MaxInt64 / 4        // after every instant asked for
	maxOffset = int64(26 * 60 * 60)      // no zone is further from UTC, in seconds
)

// micros gives the microsecond at or before t, held to a range in which sums
// cannot overflow.
func micros(t time.Time) int64 {
	switch y := t.Year(); {
	case y < minYear-10:
		return minMicros - 1
	case y > maxYear+10:
		return maxMicros + 1
	}
	return t.UnixMicro()
}

// microsUp gives the microsecond at or after t.
func microsUp(t time.Time) int64 {
	us := micros(t)
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return us
}

func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

// floorDiv divides rounding down, where Go rounds towards zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ceilDiv divides rounding up.
func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

// dateOf gives the civil date that a wall-clock second belongs to, as days since
// 1970-01-01.
func dateOf(wall int64) int64 { return floorDiv(wall, day) }

// weekdayOf gives the weekday of a date. 1970-01-01 was a Thursday.
func weekdayOf(date int64) int {
	return int(((date+4)%7 + 7) % 7)
}
