package schedule

import (
	"math/bits"
	"time"
)

// A wall-clock search knows no zones: it looks for the next or last match on a
// plain Gregorian calendar. Its work is bounded by the supported years, of which
// each costs one look into a table (see dayTable).

// nextWall gives the first matching wall-clock second at or after w.
func (c *Cron) nextWall(w int64, m *meter) (int64, bool) {
	if w > maxWall {
		return 0, false
	}
	w = max(w, 0)
	date := dateOf(w)
	y, mon, d := civil(date)
	if c.matches(y, mon, d) {
		if tod, ok := c.timeFrom(w - date*day); ok {
			return date*day + tod, true
		}
	}
	date, ok := c.nextDate(y, mon, d+1, m)
	if !ok {
		return 0, false
	}
	tod, _ := c.firstTimeFrom(0)
	return date*day + tod, true
}

// prevWall gives the last matching wall-clock second at or before w.
func (c *Cron) prevWall(w int64, m *meter) (int64, bool) {
	if w < 0 {
		return 0, false
	}
	w = min(w, maxWall)
	date := dateOf(w)
	y, mon, d := civil(date)
	if c.matches(y, mon, d) {
		if tod, ok := c.timeUpTo(w - date*day); ok {
			return date*day + tod, true
		}
	}
	date, ok := c.prevDate(y, mon, d-1, m)
	if !ok {
		return 0, false
	}
	tod, _ := c.lastTimeUpTo(23)
	return date*day + tod, true
}

// matches reports whether a date matches, whatever the time of day.
func (c *Cron) matches(y, mon, d int) bool {
	return c.hasYear(y) && c.days.days[yearKind(y)][mon-1]>>d&1 != 0
}

func (c *Cron) hasYear(y int) bool {
	n := y - minYear
	return c.years[n>>6]>>(n&63)&1 != 0
}

// nextDate gives the first matching date at or after year y, month mon, day d,
// where d may be one past the end of the month.
func (c *Cron) nextDate(y, mon, d int, m *meter) (int64, bool) {
	for ; y <= maxYear && m.step(); y, mon, d = y+1, 1, 1 {
		if !c.hasYear(y) {
			continue
		}
		kind := yearKind(y)
		if n := nextBit(uint64(c.days.days[kind][mon-1]), d); n >= 0 {
			return dateFor(y, mon, n), true
		}
		if next := nextBit(uint64(c.days.months[kind]), mon+1); next >= 0 {
			return dateFor(y, next, nextBit(uint64(c.days.days[kind][next-1]), 1)), true
		}
	}
	return 0, false
}

// prevDate gives the last matching date at or before year y, month mon, day d,
// where d may be zero.
func (c *Cron) prevDate(y, mon, d int, m *meter) (int64, bool) {
	for ; y >= minYear && m.step(); y, mon, d = y-1, 12, 31 {
		if !c.hasYear(y) {
			continue
		}
		kind := yearKind(y)
		if n := prevBit(uint64(c.days.days[kind][mon-1]), d); n >= 0 {
			return dateFor(y, mon, n), true
		}
		if prev := prevBit(uint64(c.days.months[kind]), mon-1); prev >= 0 {
			return dateFor(y, prev, prevBit(uint64(c.days.days[kind][prev-1]), 31)), true
		}
	}
	return 0, false
}

// yearKind numbers the fourteen kinds of Gregorian year: the weekday of 1
// January, and seven more in a leap year. Dates and weekdays of a year depend on
// nothing else, which is why the calendar repeats after 400 years at the latest.
func yearKind(y int) int {
	p := y - 1
	kind := (1 + 365*p + p/4 - p/100 + p/400) % 7
	if isLeap(y) {
		kind += 7
	}
	return kind
}

func isLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func civil(date int64) (y, mon, d int) {
	year, month, dom := time.Unix(date*day, 0).UTC().Date()
	return year, int(month), dom
}

func dateFor(y, mon, d int) int64 {
	return floorDiv(time.Date(y, time.Month(mon), d, 0, 0, 0, 0, time.UTC).Unix(), day)
}

// nextBit gives the lowest set bit at or above n, or -1.
func nextBit(set uint64, n int) int {
	if n > 63 {
		return -1
	}
	if set = set >> n << n; set == 0 {
		return -1
	}
	return bits.TrailingZeros64(set)
}

// prevBit gives the highest set bit at or below n, or -1.
func prevBit(set uint64, n int) int {
	if n < 0 {
		return -1
	}
	if set &= ^uint64(0) >> (63 - n); set == 0 {
		return -1
	}
	return bits.Len64(set) - 1
}
