package schedule

const millisecond = int64(1000) // in microseconds

// delay gives the jitter of an occurrence: whole milliseconds in [0, jitter),
// the same whenever it is asked for. It is cut so that the start neither reaches
// the next occurrence, nominal or actual, nor leaves the window; order is kept.
func (s *Spec) delay(p placed, m *meter) int64 {
	if s.jitter < millisecond {
		return 0
	}
	limit := s.jitter
	if next, ok := s.live(p.nominal, s.reach(p.at+limit, m), m); ok {
		limit = min(limit, next.at-p.at)
		if next.nominal > p.at {
			limit = min(limit, next.nominal-p.at)
		}
	}
	if s.windows != nil || s.calendar != nil {
		limit = s.openUntil(p.at, p.at+limit, m) - p.at
	}
	if limit < millisecond {
		return 0
	}
	return int64(mix(s.seed^mix(uint64(p.nominal)))%uint64(limit/millisecond)) * millisecond
}
