package schedule

// placed is a nominal time with the instant at which it may start.
type placed struct {
	hit
	nominal         int64
	at              int64 // after calendars and windows, before jitter
	moved, deferred bool
}

func (p placed) notes(at int64) []Note {
	var notes []Note
	add := func(when bool, n Note) {
		if when {
			notes = append(notes, n)
		}
	}
	add(p.gap, NoteDSTGap)
	add(p.fold, NoteDSTFold)
	add(p.moved, NoteMovedByCalendar)
	add(p.deferred, NoteDeferredByWindow)
	add(at != p.at, NoteJittered)
	return notes
}

// live gives the first occurrence after the given instant that is neither
// dropped nor merged into a later one. It looks at nominal times up to until, so
// the occurrences that it misses all have later ones; the one it finds may be
// later, too, when that is the one that names the group.
func (s *Spec) live(after, until int64, m *meter) (placed, bool) {
	p, ok := s.place(after, until, m)
	if ok && (p.moved || p.deferred) {
		p = s.lastOfGroup(p, m)
	}
	return p, ok
}

// place gives the first nominal time after the given instant that calendars and
// windows do not drop, if it is no later than until. Starts never decrease from
// one to the next.
func (s *Spec) place(after, until int64, m *meter) (placed, bool) {
	for m.step() {
		h, ok := s.rawNext(after, m)
		if !ok || h.at > until {
			return placed{}, false
		}
		p := placed{hit: h, nominal: h.at, at: h.at}
		if s.calendar != nil {
			mv := s.calendarMove(h, m)
			if mv.drop {
				after = mv.skip
				continue
			}
			p.at, p.moved = mv.at, mv.moved
		}
		if s.windows == nil {
			return p, true
		}
		open, ok := s.nextOpen(p.at, m)
		switch {
		case !ok: // nor will a later one find a window
			return placed{}, false
		case open == p.at:
			return p, true
		case s.outside == OutsideDefer:
			p.at, p.deferred = open, true
			return p, true
		}
		after = s.skipTo(p, open)
	}
	return placed{}, false
}

// skipTo says from where to go on when p waits for a window that opens at open,
// and waiting is not wanted: everything that would start before open is dropped,
// too.
func (s *Spec) skipTo(p placed, open int64) int64 {
	until := open
	if s.calendar != nil {
		date := dateOf(wallAt(s.loc, p.nominal))
		until = min(until, startOf(s.loc, date+1))
		if p.moved {
			until = p.nominal + 1
			wall := wallAt(s.loc, open)
			if gap := wall - wallAt(s.loc, p.at); gap > 0 && dateOf(wall) == dateOf(wallAt(s.loc, p.at)) {
				until = min(firstAt(s.loc, date*day+wall-dateOf(wall)*day)*second, startOf(s.loc, date+1))
			}
		}
	}
	return max(until-1, p.nominal)
}

// lastOfGroup gives the latest nominal time that starts together with p. It
// looks ahead in growing and then shrinking strides, since a whole weekend of
// seconds may wait for one Monday morning.
func (s *Spec) lastOfGroup(p placed, m *meter) placed {
	until := s.reach(p.at, m)
	for stride := second; m.step(); {
		next, ok := s.place(p.nominal, until, m)
		if !ok || next.at != p.at {
			break
		}
		p = next
		far, ok := s.place(p.nominal+stride, until, m)
		if ok && far.at == p.at {
			p, stride = far, stride*2
			continue
		}
		stride = max(stride/2, 1)
	}
	return p
}

// reach gives the latest nominal time that may start at or before the given
// instant: no later than that, unless a calendar moves back the excluded dates
// that follow.
func (s *Spec) reach(at int64, m *meter) int64 {
	if s.calendar == nil || !s.calendar.back {
		return at
	}
	free, ok := s.calendar.nextFree(dateOf(wallAt(s.loc, at)), m)
	if !ok {
		return s.last
	}
	return startOf(s.loc, free) - 1
}

// liveBefore gives the last live occurrence before the given instant. Where
// nominal times can be dropped or merged it searches for the last instant after
// which live finds something early enough, so it agrees with live by
// construction. It goes back in growing strides, looking at no stretch twice.
func (s *Spec) liveBefore(before int64, m *meter) (placed, bool) {
	if s.calendar == nil && s.windows == nil {
		h, ok := s.rawPrev(before, m)
		return placed{hit: h, nominal: h.at, at: h.at}, ok
	}
	early := func(after, until int64) (placed, bool) {
		p, ok := s.live(after, until, m)
		return p, ok && p.nominal < before
	}
	high := min(before, s.last+1) - 1 // nothing early is after high
	for stride := second; m.step(); stride *= 2 {
		low := max(high-stride, s.first-1)
		if p, ok := early(low, high); ok {
			return halve(p, high, early, m), true
		}
		if low < s.first {
			break
		}
		high = low
	}
	return placed{}, false
}

// halve gives the last occurrence that early finds, given one and an instant
// after which there is none.
func halve(best placed, high int64, early func(after, until int64) (placed, bool), m *meter) placed {
	for best.nominal < high && m.step() {
		middle := best.nominal + (high-best.nominal)/2
		if p, ok := early(middle, high); ok {
			best = p
			continue
		}
		high = middle
	}
	return best
}

// nextOpen gives the first microsecond at or after at that is inside a window,
// if there are any, and on a date that no calendar excludes.
func (s *Spec) nextOpen(at int64, m *meter) (int64, bool) {
	for m.step() && at <= maxMicros {
		if s.windows != nil {
			open, ok := s.windows.next(at, m)
			if !ok {
				break
			}
			at = open
		}
		if s.calendar == nil {
			return at, true
		}
		date := dateOf(wallAt(s.loc, at))
		if s.calendar.free(date) {
			return at, true
		}
		next, ok := s.calendar.nextFree(date, m)
		if !ok {
			break
		}
		at = max(startOf(s.loc, next), at)
	}
	return 0, false
}

// openUntil gives the end of the open time around at, or limit if that comes
// first.
func (s *Spec) openUntil(at, limit int64, m *meter) int64 {
	for at < limit && m.step() {
		next := limit
		if s.windows != nil {
			next = min(next, s.windows.until(at, m))
		}
		if s.calendar != nil {
			next = min(next, startOf(s.loc, dateOf(wallAt(s.loc, at))+1))
		}
		if next <= at {
			break
		}
		at = next
		if open, ok := s.nextOpen(at, m); !ok || open != at {
			break
		}
	}
	return min(at, limit)
}
