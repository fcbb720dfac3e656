package schedule

import "time"

// NextSteps is Next with the number of steps that it took.
func (s *Spec) NextSteps(after time.Time) (o Occurrence, ok bool, steps int) {
	var m meter
	o, ok = s.next(micros(after), &m)
	return o, ok, m.steps
}

// PrevSteps is Prev with the number of steps that it took.
func (s *Spec) PrevSteps(before time.Time) (o Occurrence, ok bool, steps int) {
	var m meter
	o, ok = s.prev(microsUp(before), &m)
	return o, ok, m.steps
}

// SpanAt gives the period of constant offset around an instant.
func SpanAt(loc *time.Location, sec int64) (start, end, offset int64) {
	s := spanAt(loc, sec)
	return s.start, s.end, s.off
}

// MaxOffset is the distance from UTC that searches allow for, in seconds.
const MaxOffset = maxOffset
