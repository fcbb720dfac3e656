package core

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// problems gathers what is wrong with an input, so that one answer names it all.
type problems []FieldProblem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, FieldProblem{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// belongs demands that a field is given for schedule type owner, and only for it.
func (p *problems) belongs(field string, given bool, is, owner ScheduleType) {
	switch {
	case is == owner && !given:
		p.add(field, "is required when scheduleType is %s", owner)
	case is != owner && given:
		p.add(field, "belongs to scheduleType %s, but scheduleType is %s", owner, is)
	}
}

func (p *problems) duration(field string, d Millis) {
	switch {
	case d < 0:
		p.add(field, "%d is negative", d)
	case d > maxMillis:
		p.add(field, "%d ms is more than ten years", d)
	}
}

// instant keeps times within what every store and JSON can hold.
func (p *problems) instant(field string, t *time.Time) {
	if t != nil && (t.Year() < 1970 || t.Year() > 9999) {
		p.add(field, "year %d is out of 1970–9999", t.Year())
	}
}

func (p *problems) text(field, s string, minLen, maxLen int) {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		p.add(field, "is not valid UTF-8")
	case strings.ContainsRune(s, 0): // Postgres cannot hold it
		p.add(field, "has the character U+0000, which cannot be stored; leave it out")
	case n < minLen && minLen == 1:
		p.add(field, "is required")
	case n < minLen:
		p.add(field, "is %d characters long, at least %d are needed", n, minLen)
	case n > maxLen:
		p.add(field, "is %d characters long, at most %d are allowed", n, maxLen)
	}
}

func (p *problems) within(field string, n, low, high int) {
	if n < low || n > high {
		p.add(field, "%d is out of %d–%d", n, low, high)
	}
}

func oneOf[T ~string](p *problems, field string, v T, allowed ...T) {
	for _, a := range allowed {
		if v == a {
			return
		}
	}
	p.add(field, "%q is not one of %s", string(v), joinWords(allowed))
}

func joinWords[T ~string](words []T) string {
	s := ""
	for i, w := range words {
		if i > 0 {
			s += ", "
		}
		s += string(w)
	}
	return s
}

// utc returns t in UTC with the precision that every store keeps.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := Instant(*t)
	return &u
}

// Instant returns t in UTC, cut to the microsecond: what SQLite and Postgres
// keep. Times that are compared after a round trip must go through it first.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
