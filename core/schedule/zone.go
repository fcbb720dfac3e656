package schedule

import (
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on what the machine has installed
)

// span is a period during which a zone keeps one offset. Two neighbouring spans
// may have the same offset: the time package splits periods at year ends.
type span struct {
	start, end int64 // unix seconds, [start, end)
	off        int64 // seconds east of UTC
}

// spanAt returns the span around an instant given in unix seconds.
func spanAt(loc *time.Location, sec int64) span {
	if loc == time.UTC {
		return span{start: farPast, end: farFuture}
	}
	t := time.Unix(sec, 0).In(loc)
	_, off := t.Zone()
	start, end := t.ZoneBounds()
	s := span{start: farPast, end: farFuture, off: int64(off)}
	if !start.IsZero() {
		s.start = start.Unix()
	}
	if !end.IsZero() {
		s.end = end.Unix()
	}
	// For the last day of a leap year beyond the zone's table, ZoneBounds of Go
	// 1.26 says that the period is already over (it takes every year to have 365
	// days). The offset holds until the year does.
	if s.end <= sec {
		s.end = time.Date(t.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return s
}

// jumpBefore returns by how much the clock was put forward at the start of the
// span; negative when it was put back.
func (s span) jumpBefore(loc *time.Location) int64 {
	if s.start == farPast {
		return 0
	}
	return s.off - offsetAt(loc, s.start-1)
}

// jumpAfter is jumpBefore for the end of the span.
func (s span) jumpAfter(loc *time.Location) int64 {
	if s.end == farFuture {
		return 0
	}
	return offsetAt(loc, s.end) - s.off
}

func offsetAt(loc *time.Location, sec int64) int64 {
	_, off := time.Unix(sec, 0).In(loc).Zone()
	return int64(off)
}

// wallAt gives the wall-clock second of an instant in microseconds.
func wallAt(loc *time.Location, us int64) int64 {
	sec := floorDiv(us, second)
	return sec + offsetAt(loc, sec)
}

// loadZone finds a zone by its IANA name. The empty name is UTC. The zone
// "Local" is refused: what it means depends on the machine.
func loadZone(field, name string) (*time.Location, *Error) {
	if name == "" {
		return time.UTC, nil
	}
	if strings.EqualFold(name, "local") {
		return nil, fail(field, name, "it means a different zone on every machine", `use an IANA name such as "Europe/Berlin"`)
	}
	loc, err := time.LoadLocation(name)
	if err == nil && plainZoneName(name) {
		return loc, nil
	}
	hint := `use an IANA name such as "Europe/Berlin"`
	if better := properZoneName(name); better != "" {
		hint = `did you mean "` + better + `"?`
	}
	return nil, fail(field, name, "it is not a known time zone", hint)
}

// plainZoneName holds names to the characters that IANA uses, so that a name is
// never a path.
func plainZoneName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && !strings.ContainsRune("/_+-", rune(c)) {
			return false
		}
	}
	return len(name) <= 64
}

// properZoneName guesses the right spelling of a name in the wrong letter case:
// names are either capitals ("UTC", "CET") or capitalised words with small
// connecting words ("America/Port_of_Spain").
func properZoneName(name string) string {
	if !plainZoneName(name) {
		return ""
	}
	for _, guess := range []string{strings.ToUpper(name), titleZone(name)} {
		if guess == name {
			continue
		}
		if _, err := time.LoadLocation(guess); err == nil {
			return guess
		}
	}
	return ""
}

func titleZone(name string) string {
	b := []byte(strings.ToLower(name))
	for start := 0; start < len(b); {
		end := start
		for end < len(b) && b[end] >= 'a' && b[end] <= 'z' {
			end++
		}
		switch word := string(b[start:end]); word {
		case "of", "es", "au", "":
		case "us", "gmt", "utc", "nz", "dumontdurville", "mcmurdo":
			copy(b[start:end], map[string]string{
				"us": "US", "gmt": "GMT", "utc": "UTC", "nz": "NZ",
				"dumontdurville": "DumontDUrville", "mcmurdo": "McMurdo",
			}[word])
		default:
			b[start] -= 'a' - 'A'
		}
		start = end + 1
	}
	return string(b)
}

// firstAt gives the first instant, in unix seconds, at which the clock of a zone
// shows the given wall-clock second or a later one: the end of the gap when the
// clock jumps over it, the first pass when it shows it twice.
func firstAt(loc *time.Location, wall int64) int64 {
	s := spanAt(loc, wall-maxOffset)
	for wall-s.off >= s.end {
		s = spanAt(loc, s.end)
	}
	return max(wall-s.off, s.start)
}

// lastAt is firstAt with the second pass of a repeated time.
func lastAt(loc *time.Location, wall int64) int64 {
	at := firstAt(loc, wall)
	s := spanAt(loc, at)
	if back := -s.jumpAfter(loc); s.end-at <= back {
		return at + back
	}
	return at
}

// startOf gives the first microsecond of a date.
func startOf(loc *time.Location, date int64) int64 {
	return firstAt(loc, date*day) * second
}
