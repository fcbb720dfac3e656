package schedule

import "time"

// intervalRule fires at anchor + k × step for every k >= 0. It counts elapsed
// time, so it neither drifts nor notices daylight saving.
type intervalRule struct {
	anchor, step int64 // microseconds
	loc          *time.Location
}

func newInterval(anchor int64, every time.Duration, loc *time.Location) intervalRule {
	return intervalRule{anchor: anchor, step: every.Microseconds(), loc: loc}
}

// anchor is where intervals count from: StartAt, or else the Unix epoch.
func anchor(startAt time.Time) int64 {
	if startAt.IsZero() {
		return 0
	}
	return micros(startAt)
}

func (r intervalRule) next(after int64, _ *meter) (hit, bool) {
	k := max(floorDiv(after-r.anchor, r.step)+1, 0)
	if k > (maxMicros-r.anchor)/r.step {
		return hit{}, false
	}
	return r.nth(k), true
}

func (r intervalRule) prev(before int64, _ *meter) (hit, bool) {
	k := ceilDiv(min(before, maxMicros+1)-r.anchor, r.step) - 1
	if k < 0 {
		return hit{}, false
	}
	return r.nth(k), true
}

func (r intervalRule) nth(k int64) hit {
	at := r.anchor + k*r.step
	if r.loc == time.UTC {
		return hit{at: at, wall: floorDiv(at, second)}
	}
	sec := floorDiv(at, second)
	s := spanAt(r.loc, sec)
	h := hit{at: at, wall: sec + s.off}
	if sec-s.start < maxOffset {
		// No more than a repeated hour can tell this instant's clock from one
		// already shown.
		h.second = sec-s.start < -s.jumpBefore(r.loc)
	}
	return h
}

func compileInterval(s *Spec, c Config) *Error {
	switch {
	case c.Interval <= 0:
		return fail("intervalMs", c.Interval.String(), "an interval must be longer than zero", "give a number of milliseconds")
	case c.Interval%time.Millisecond != 0:
		return fail("intervalMs", c.Interval.String(), "it is not a whole number of milliseconds", "")
	}
	s.interval = c.Interval
	s.rule = newInterval(anchor(c.StartAt), c.Interval, s.loc)
	return nil
}
