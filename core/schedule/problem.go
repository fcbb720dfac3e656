package schedule

import (
	"math"
	"time"
)

// Problem says why no task may use this schedule, or nil when one may: it can
// never fire (see [Spec.Never]), or it can fire at a shorter distance than
// Config.MinInterval. Distances are those of the rule on a day without a change
// of the clock.
func (s *Spec) Problem() *Error {
	if s.rule == nil {
		return nil
	}
	if e := s.tooFrequent(); e != nil {
		return e
	}
	if s.Never() {
		return s.neverError()
	}
	return nil
}

func (s *Spec) tooFrequent() *Error {
	field, value, distance := "intervalMs", s.interval.String(), s.interval
	if s.cron != nil {
		field, value = "cronExpression", s.cron.expr
		if s.cron.every == 0 {
			distance = s.cron.shortest(s.minimum)
		}
	}
	if s.kind == KindOnce || distance >= s.minimum {
		return nil
	}
	return fail(field, value, "it fires "+distance.String()+" apart, closer than the minimum of "+s.minimum.String(),
		"leave at least "+s.minimum.String()+" between occurrences")
}

// neverError blames the field that keeps the schedule from firing.
func (s *Spec) neverError() *Error {
	var m meter
	const reason = "the schedule can never fire"
	if _, ok := s.rawNext(s.first-1, &m); ok {
		if s.windows != nil {
			return fail("executionWindows", "", reason+": no occurrence falls into a window on a date that is not excluded",
				"widen a window, or let outsideWindow be defer")
		}
		return fail("calendars", "", reason+": every occurrence is on an excluded date", "let the calendar move occurrences, or take it out")
	}
	if _, ok := s.rule.next(minMicros-1, &m); ok {
		return fail("endAt", instant(s.last).Format(time.RFC3339Nano), reason+": no occurrence is between startAt and endAt", "widen the bounds")
	}
	if _, ok := s.cron.nextWall(0, &m); ok {
		return fail("cronExpression", s.cron.expr, reason+": the clock of "+s.loc.String()+" jumps over every time that matches", "choose another hour, or the gap policy shift")
	}
	return fail("cronExpression", s.cron.expr, reason+": no date in 1970–2199 matches", "check day of month against month, weekday and year")
}

// shortest gives the shortest distance between two matches on a clock that never
// changes. It is exact up to the given limit and at least the limit otherwise.
func (c *Cron) shortest(limit time.Duration) time.Duration {
	firstSec, lastSec := int64(nextBit(c.seconds, 0)), int64(prevBit(c.seconds, 59))
	first := int64(nextBit(c.minutes, 0))*60 + firstSec
	last := int64(prevBit(c.minutes, 59))*60 + lastSec
	best := min(
		closest(c.seconds),
		closest(c.minutes)*60-lastSec+firstSec,
		closest(uint64(c.hours))*3600-last+first,
	)
	midnight := first + int64(nextBit(uint64(c.hours), 0))*3600 -
		last - int64(prevBit(uint64(c.hours), 23))*3600
	if overnight := day + midnight; overnight < best && overnight < int64(limit/time.Second)+1 {
		best = min(best, c.closestDates()*day+midnight)
	}
	return time.Duration(min(best, math.MaxInt64/int64(time.Second))) * time.Second
}

// farApart stands for "there are no two"; it leaves room for multiplication.
const farApart = int64(1) << 40

// closest gives the smallest difference between two members of a set.
func closest(set uint64) int64 {
	best := farApart
	for n := nextBit(set, 0); n >= 0; {
		next := nextBit(set, n+1)
		if next < 0 {
			break
		}
		best, n = min(best, int64(next-n)), next
	}
	return best
}

// closestDates gives the smallest number of days between two matching dates.
func (c *Cron) closestDates() int64 {
	var m meter
	best := farApart
	date, ok := c.nextDate(minYear, 1, 1, &m)
	for ok && best > 1 {
		var next int64
		y, mon, d := civil(date)
		if next, ok = c.nextDate(y, mon, d+1, &m); ok {
			best, date = min(best, next-date), next
		}
	}
	return best
}
