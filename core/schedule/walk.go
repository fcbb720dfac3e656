package schedule

import "time"

// cronRule places the wall-clock matches of an expression in real time.
//
// It walks the zone's periods of constant offset. Inside one, wall clock and
// real time run alike, so a match is a subtraction away; the policies act only
// at the borders. Two changes of a zone's clock are never closer than a few days
// (a test holds this for every zone), so a border has one neighbour at a time.
type cronRule struct {
	cron *Cron
	loc  *time.Location
	dst  DST
}

// verdict is what the policies say about a match.
type verdict int

const (
	keep       verdict = iota
	dropFirst          // it is in the first pass of a repeated hour, the second counts
	dropSecond         // it is in the second pass, the first counts
)

func (r cronRule) next(after int64, m *meter) (hit, bool) {
	from := floorDiv(after, second) + 1
	for m.step() && from <= maxWall+maxOffset {
		s := spanAt(r.loc, from)
		if from == s.start {
			if h, ok := r.gapAt(s, m); ok {
				return h, true
			}
		}
		w, ok := r.cron.nextWall(from+s.off, m)
		if ok && w-s.off < s.end {
			h, v := r.judge(s, w)
			switch v {
			case keep:
				return h, true
			case dropFirst:
				from = s.end
			case dropSecond:
				from = s.start - s.jumpBefore(r.loc)
			}
			continue
		}
		if from, ok = r.leap(s, m); !ok {
			break
		}
	}
	return hit{}, false
}

// leap says where to go on after a period without a match: at its end, or later
// when even the zone furthest ahead shows no matching clock until then.
func (r cronRule) leap(s span, m *meter) (int64, bool) {
	if s.end == farFuture {
		return 0, false
	}
	w, ok := r.cron.nextWall(s.end-maxOffset, m)
	return max(s.end, w-maxOffset), ok
}

func (r cronRule) prev(before int64, m *meter) (hit, bool) {
	from := ceilDiv(before, second) - 1
	for m.step() && from >= -maxOffset {
		s := spanAt(r.loc, from)
		w, ok := r.cron.prevWall(from+s.off, m)
		if ok && w-s.off >= s.start {
			h, v := r.judge(s, w)
			switch v {
			case keep:
				return r.orGap(s, h, m), true
			case dropFirst:
				from = s.end + s.jumpAfter(r.loc) - 1
			case dropSecond:
				from = s.start - 1
			}
			continue
		}
		if h, ok := r.gapAt(s, m); ok {
			return h, true
		}
		if from, ok = r.leapBack(s, m); !ok {
			break
		}
	}
	return hit{}, false
}

func (r cronRule) leapBack(s span, m *meter) (int64, bool) {
	if s.start == farPast {
		return 0, false
	}
	w, ok := r.cron.prevWall(s.start+maxOffset, m)
	return min(s.start-1, w+maxOffset), ok
}

// orGap prefers the view of a match at the very end of a gap that next has: the
// times lost in the gap are due then, too.
func (r cronRule) orGap(s span, h hit, m *meter) hit {
	if h.at == s.start*second {
		if g, ok := r.gapAt(s, m); ok {
			return g
		}
	}
	return h
}

// gapAt gives the occurrence at the start of a period before which the clock was
// put forward over a match, when the policy shifts such matches.
func (r cronRule) gapAt(s span, m *meter) (hit, bool) {
	if r.cron.wildcard || r.dst.Gap != GapShift {
		return hit{}, false
	}
	jump := s.jumpBefore(r.loc)
	if jump <= 0 {
		return hit{}, false
	}
	w, ok := r.cron.nextWall(s.start+s.off-jump, m)
	if !ok || w >= s.start+s.off {
		return hit{}, false
	}
	return hit{at: s.start * second, wall: w, gap: true}, true
}

// judge applies the fold policy to the match at wall-clock second w of a period.
func (r cronRule) judge(s span, w int64) (hit, verdict) {
	at := w - s.off
	h := hit{at: at * second, wall: w}
	if at-s.start < maxOffset && at-s.start < -s.jumpBefore(r.loc) {
		h.fold = true
		if !r.cron.wildcard && r.dst.Fold == FoldFirst {
			return h, dropSecond
		}
		h.second = r.cron.wildcard || r.dst.Fold == FoldBoth
	}
	if s.end-at <= maxOffset && s.end-at <= -s.jumpAfter(r.loc) {
		h.fold = true
		if !r.cron.wildcard && r.dst.Fold == FoldLast {
			return h, dropFirst
		}
	}
	return h, keep
}
