package schedule

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a parsed cron expression: a set of wall-clock times, to the second. It
// is immutable and safe for concurrent use. Make one with [ParseCron].
//
// It implements [cron.Schedule] of robfig/cron with the default [DST] policy, so
// that it can be given to that library's runner; a task's schedule is a [Spec].
type Cron struct {
	expr string

	seconds, minutes uint64        // bit n: the value n matches
	hours            uint32        // bit n: the hour n matches
	years            [4]uint64     // bit n: the year 1970+n matches
	days             *dayTable     // which dates of which kinds of year match
	wildcard         bool          // minute or hour begins with "*"
	fields           [7]field      // as parsed, for descriptions
	either           bool          // day of month OR day of week, both restricted
	every            time.Duration // for "@every": an interval instead
	reboot           bool
	loc              *time.Location // for Next(time.Time); nil: that of its argument
}

// String returns the expression as it was written.
func (c *Cron) String() string { return c.expr }

// FixedTime reports whether the expression is a fixed-time rule, which [DST]
// governs, rather than a wildcard rule, which follows real time.
func (c *Cron) FixedTime() bool { return !c.wildcard && c.every == 0 && !c.reboot }

// Next returns the first match after t, in the zone of t, or in that of the
// [Parser] that made c. It returns the zero time when there is none, as
// [cron.Schedule] wants. "@every" is anchored at the Unix epoch.
func (c *Cron) Next(t time.Time) time.Time {
	loc := c.zone(t)
	return c.in(loc, t, func(r rule, m *meter) (hit, bool) { return r.next(micros(t), m) })
}

// Prev returns the last match before t, and otherwise does as Next.
func (c *Cron) Prev(t time.Time) time.Time {
	loc := c.zone(t)
	return c.in(loc, t, func(r rule, m *meter) (hit, bool) { return r.prev(microsUp(t), m) })
}

func (c *Cron) zone(t time.Time) *time.Location {
	if c.loc != nil {
		return c.loc
	}
	return t.Location()
}

func (c *Cron) in(loc *time.Location, t time.Time, find func(rule, *meter) (hit, bool)) time.Time {
	if c.reboot {
		return time.Time{}
	}
	var r rule = cronRule{cron: c, loc: loc, dst: DST{Gap: GapShift, Fold: FoldFirst}}
	if c.every > 0 {
		r = newInterval(0, c.every, time.UTC)
	}
	var m meter
	h, ok := find(r, &m)
	if !ok {
		return time.Time{}
	}
	return time.UnixMicro(h.at).In(t.Location())
}

var _ cron.Schedule = (*Cron)(nil)

// timeFrom looks for the first matching time of day at or after the given one,
// in seconds since midnight of the wall clock.
func (c *Cron) timeFrom(tod int64) (int64, bool) {
	h, m, s := int(tod/3600), int(tod/60%60), int(tod%60)
	if c.hours>>h&1 == 0 {
		return c.firstTimeFrom(h + 1)
	}
	if c.minutes>>m&1 != 0 {
		if n := nextBit(c.seconds, s); n >= 0 {
			return clock(h, m, n), true
		}
	}
	if n := nextBit(c.minutes, m+1); n >= 0 {
		return clock(h, n, nextBit(c.seconds, 0)), true
	}
	return c.firstTimeFrom(h + 1)
}

// firstTimeFrom gives the first matching time in or after an hour.
func (c *Cron) firstTimeFrom(hour int) (int64, bool) {
	n := nextBit(uint64(c.hours), hour)
	if n < 0 {
		return 0, false
	}
	return clock(n, nextBit(c.minutes, 0), nextBit(c.seconds, 0)), true
}

// timeUpTo looks for the last matching time of day at or before the given one.
func (c *Cron) timeUpTo(tod int64) (int64, bool) {
	h, m, s := int(tod/3600), int(tod/60%60), int(tod%60)
	if c.hours>>h&1 == 0 {
		return c.lastTimeUpTo(h - 1)
	}
	if c.minutes>>m&1 != 0 {
		if n := prevBit(c.seconds, s); n >= 0 {
			return clock(h, m, n), true
		}
	}
	if n := prevBit(c.minutes, m-1); n >= 0 {
		return clock(h, n, prevBit(c.seconds, 59)), true
	}
	return c.lastTimeUpTo(h - 1)
}

// lastTimeUpTo gives the last matching time in or before an hour.
func (c *Cron) lastTimeUpTo(hour int) (int64, bool) {
	n := prevBit(uint64(c.hours), hour)
	if n < 0 {
		return 0, false
	}
	return clock(n, prevBit(c.minutes, 59), prevBit(c.seconds, 59)), true
}

func clock(h, m, s int) int64 { return int64(h)*3600 + int64(m)*60 + int64(s) }
