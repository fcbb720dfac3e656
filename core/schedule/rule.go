package schedule

import (
	"time"
)

// rule yields nominal times. Both methods are strict: the hit is after, or
// before, the given microsecond.
type rule interface {
	next(after int64, m *meter) (hit, bool)
	prev(before int64, m *meter) (hit, bool)
}

// hit is one nominal time.
type hit struct {
	at   int64 // unix microseconds
	wall int64 // the wall-clock second asked for; in a gap it is not that of at
	gap  bool  // the wall-clock time does not exist, at is the end of the gap
	fold bool  // the wall-clock time exists twice
	// second: at is in the second pass of a repeated hour, and the rule also
	// fires in the first.
	second bool
}

// onceRule is a single instant.
type onceRule struct {
	at  int64
	loc *time.Location
}

func (r onceRule) hit() hit { return hit{at: r.at, wall: wallAt(r.loc, r.at)} }

func (r onceRule) next(after int64, _ *meter) (hit, bool) { return r.hit(), r.at > after }

func (r onceRule) prev(before int64, _ *meter) (hit, bool) { return r.hit(), r.at < before }

func compileOnce(s *Spec, c Config) *Error {
	if c.RunAt.IsZero() {
		return fail("runAt", "", "a once schedule needs it", `give an instant such as "2026-07-01T09:00:00Z"`)
	}
	if err := checkInstant("runAt", c.RunAt); err != nil {
		return err
	}
	s.rule = onceRule{at: micros(c.RunAt), loc: s.loc}
	return nil
}

// rawNext is the rule's next nominal time within the bounds of the schedule.
func (s *Spec) rawNext(after int64, m *meter) (hit, bool) {
	if s.rule == nil || !m.step() {
		return hit{}, false
	}
	h, ok := s.rule.next(max(after, s.first-1), m)
	return h, ok && h.at <= s.last
}

// rawPrev is the rule's previous nominal time within the bounds.
func (s *Spec) rawPrev(before int64, m *meter) (hit, bool) {
	if s.rule == nil || !m.step() {
		return hit{}, false
	}
	h, ok := s.rule.prev(min(before, s.last+1), m)
	return h, ok && h.at >= s.first
}
