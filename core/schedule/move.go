package schedule

// move is what the calendars make of one nominal time: where it may start, or
// that it is dropped and where to go on looking.
type move struct {
	at    int64
	moved bool
	drop  bool
	skip  int64 // when dropped: nothing up to this instant survives either
}

// calendarMove applies the calendars to a nominal time; see [Calendar].
func (s *Spec) calendarMove(h hit, m *meter) move {
	date := dateOf(wallAt(s.loc, h.at))
	if s.calendar.free(date) {
		return move{at: h.at}
	}
	drop := func(until int64) move { return move{drop: true, skip: max(until, h.at)} }
	if !s.calendar.moves(date) {
		return drop(startOf(s.loc, date+1) - 1)
	}
	if h.second {
		return drop(h.at)
	}
	after, hasAfter := s.calendar.nextFree(date, m)
	end := s.last
	if hasAfter {
		end = startOf(s.loc, after) - 1
	}
	target, found := after, hasAfter
	if s.calendar.back {
		target, found = s.calendar.prevFree(date, m)
	}
	if !found || s.occursOn(target, m) {
		return drop(end)
	}
	switch source := s.sourceOf(date, target, m); {
	case source > date:
		return drop(startOf(s.loc, source) - 1)
	case source < date:
		return drop(end)
	}
	at, ok := s.sameTime(h, date, target)
	if !ok {
		return drop(h.at)
	}
	return move{at: at, moved: true}
}

// occursOn reports whether the rule has a nominal time on a date.
func (s *Spec) occursOn(date int64, m *meter) bool {
	h, ok := s.rawNext(startOf(s.loc, date)-1, m)
	return ok && h.at < startOf(s.loc, date+1)
}

// sourceOf gives, among the excluded dates that lead to target, the nearest that
// has occurrences. The given date is one that does.
func (s *Spec) sourceOf(date, target int64, m *meter) int64 {
	if target > date {
		return s.nearestBefore(date, target, m)
	}
	for d := target + 1; d < date && m.step(); {
		h, ok := s.rawNext(startOf(s.loc, d)-1, m)
		if !ok {
			break
		}
		found := dateOf(wallAt(s.loc, h.at))
		if found < date && s.calendar.moves(found) {
			return found
		}
		d = max(found, d) + 1
	}
	return date
}

func (s *Spec) nearestBefore(date, target int64, m *meter) int64 {
	for d := target; d > date && m.step(); {
		h, ok := s.rawPrev(startOf(s.loc, d), m)
		if !ok {
			break
		}
		found := dateOf(wallAt(s.loc, h.at))
		if found > date && s.calendar.moves(found) {
			return found
		}
		d = min(found, d-1)
	}
	return date
}

// sameTime gives the instant on the target date at the time of day of h.
func (s *Spec) sameTime(h hit, date, target int64) (int64, bool) {
	tod := int64(0)
	if dateOf(h.wall) == date {
		tod = h.wall - date*day
	}
	wall := target*day + tod
	at := firstAt(s.loc, wall)
	if at+offsetAt(s.loc, at) != wall { // the clock jumps over it
		return at * second, s.dst.Gap == GapShift
	}
	if s.dst.Fold == FoldLast {
		at = lastAt(s.loc, wall)
	}
	if h.gap {
		return at * second, true
	}
	return at*second + h.at - floorDiv(h.at, second)*second, true
}
