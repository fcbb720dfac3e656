package schedule

import (
	"strconv"
	"strings"
	"time"
)

// Window is a time of the week in which an execution may start. It is read off
// the clock on the wall: in a zone whose clock is put back, a window inside the
// repeated hour opens twice, and one inside a gap does not open that day.
type Window struct {
	// Days are the days on which the window begins, "MON" to "SUN". Empty means
	// every day.
	Days []string `json:"days"`
	// Start and End are times of day, "09:00" and "17:00". The window includes
	// Start and excludes End. An End at or before Start is on the following day,
	// and that part belongs to the day of Start. End may be "24:00".
	Start string `json:"start"`
	End   string `json:"end"`
	// Timezone is an IANA name. Defaults to the zone of the schedule.
	Timezone string `json:"timezone"`
}

// maxWindows keeps the cost of one look at the windows small.
const maxWindows = 50

// windows are compiled windows; an instant is open when one of them is.
type windows struct{ list []window }

type window struct {
	days       uint8 // bit n: weekday n, 0 is Sunday
	start, end int64 // seconds since midnight; end may exceed a day
	loc        *time.Location
}

func compileWindows(s *Spec, c Config) *Error {
	switch s.outside {
	case OutsideDefer, OutsideSkip:
	default:
		return fail("outsideWindow", string(c.Outside), "it is not a policy", "use defer or skip")
	}
	if len(c.Windows) == 0 {
		return nil
	}
	if n := len(c.Windows); n > maxWindows {
		return fail("executionWindows", strconv.Itoa(n)+" windows", "there are more than "+strconv.Itoa(maxWindows), "join windows that touch")
	}
	s.windows = new(windows)
	for i, w := range c.Windows {
		compiled, err := w.compile(s.loc)
		if err != nil {
			return err.at("executionWindows/" + strconv.Itoa(i))
		}
		s.windows.list = append(s.windows.list, compiled)
	}
	return nil
}

func (w Window) compile(loc *time.Location) (window, *Error) {
	out := window{loc: loc}
	if w.Timezone != "" {
		zone, err := loadZone("timezone", w.Timezone)
		if err != nil {
			return out, err
		}
		out.loc = zone
	}
	days, err := weekdaySet("days", w.Days)
	if err != nil {
		return out, err
	}
	if out.days = days; days == 0 {
		out.days = 0x7f
	}
	if out.start, err = timeOfDay("start", w.Start); err != nil {
		return out, err
	}
	if out.end, err = timeOfDay("end", w.End); err != nil {
		return out, err
	}
	if out.start == day {
		return out, fail("start", w.Start, "a window cannot start at the end of a day", `use "00:00"`)
	}
	if out.end <= out.start {
		out.end += day
	}
	return out, nil
}

func timeOfDay(field, text string) (int64, *Error) {
	hour, minute, ok := strings.Cut(text, ":")
	h, okHour := number(hour)
	m, okMinute := number(minute)
	whole := ok && okHour && okMinute && len(hour) == 2 && len(minute) == 2
	if !whole || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, fail(field, text, "it is not a time of day", `write hours and minutes, "00:00" to "24:00"`)
	}
	return clock(h, m, 0), nil
}

func weekdaySet(field string, names []string) (uint8, *Error) {
	var set uint8
	for i, name := range names {
		n, ok := grammarOf(dowField).lookup(name)
		if !ok {
			return 0, fail(field+"/"+strconv.Itoa(i), name, "it is not a weekday", "use MON, TUE, WED, THU, FRI, SAT or SUN")
		}
		set |= 1 << n
	}
	return set, nil
}

// next gives the first open microsecond at or after the given one.
func (ws *windows) next(at int64, m *meter) (int64, bool) {
	best, found := int64(0), false
	for _, w := range ws.list {
		if n, ok := w.next(at, m); ok && (!found || n < best) {
			best, found = n, true
		}
	}
	return best, found
}

// until gives the first microsecond after at, which must be open, at which one
// window closes; another may still be open then.
func (ws *windows) until(at int64, m *meter) int64 {
	best := at
	for _, w := range ws.list {
		if n, ok := w.next(at, m); ok && n == at {
			best = max(best, w.closing(at))
		}
	}
	return best
}

func (w window) next(at int64, m *meter) (int64, bool) {
	sec := floorDiv(at, second)
	for from := sec; m.step(); {
		s := spanAt(w.loc, from)
		n := w.openWall(from+s.off) - s.off
		switch {
		case n == sec:
			return at, true
		case n < s.end:
			return n * second, true
		}
		from = s.end
	}
	return 0, false
}

// closing gives the end of an opening that at lies in, or the next change of the
// zone's clock if that comes first.
func (w window) closing(at int64) int64 {
	sec := floorDiv(at, second)
	s := spanAt(w.loc, sec)
	return min(w.closeWall(sec+s.off)-s.off, s.end) * second
}

// openWall gives the first wall-clock second at or after wall that is open.
func (w window) openWall(wall int64) int64 {
	date := dateOf(wall)
	if w.startsOn(date-1) && wall < (date-1)*day+w.end {
		return wall
	}
	for d := date; ; d++ { // ends: a window begins on some day of every week
		if w.startsOn(d) && wall < d*day+w.end {
			return max(wall, d*day+w.start)
		}
	}
}

// closeWall gives the wall-clock second at which the opening around wall ends.
func (w window) closeWall(wall int64) int64 {
	date := dateOf(wall)
	if w.startsOn(date) && wall >= date*day+w.start && wall < date*day+w.end {
		return date*day + w.end
	}
	return (date-1)*day + w.end
}

func (w window) startsOn(date int64) bool { return w.days>>weekdayOf(date)&1 != 0 }
