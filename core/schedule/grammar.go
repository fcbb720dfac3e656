package schedule

import (
	"strconv"
	"strings"
)

// The fields of an expression, in the order of the seven-field form.
const (
	secondField = iota
	minuteField
	hourField
	domField
	monthField
	dowField
	yearField
)

const (
	monthNames   = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
	weekdayNames = "SUNMONTUEWEDTHUFRISAT"
)

// grammar is what one field may hold (OCPS 1.0 section 4.2, 1.2 section 4).
type grammar struct {
	index    int
	name     string // as it appears in error messages
	min, max int
	names    string // three-letter names, glued together; the first is base
	base     int
	hashMax  int // the largest value that a bare H may choose
}

func grammarOf(index int) grammar {
	switch index {
	case secondField:
		return grammar{index: index, name: "second", max: 59, hashMax: 59}
	case minuteField:
		return grammar{index: index, name: "minute", max: 59, hashMax: 59}
	case hourField:
		return grammar{index: index, name: "hour", max: 23, hashMax: 23}
	case domField:
		// Every month has a 28th, so a bare H fires in every month.
		return grammar{index: index, name: "day of month", min: 1, max: 31, hashMax: 28}
	case monthField:
		return grammar{index: index, name: "month", min: 1, max: 12, names: monthNames, base: 1, hashMax: 12}
	case dowField:
		return grammar{index: index, name: "day of week", max: 7, names: weekdayNames, hashMax: 6}
	}
	return grammar{index: index, name: "year", min: minYear, max: maxYear}
}

// bounds writes the allowed values, for messages.
func (g grammar) bounds() string { return fromTo(g.min, g.max) }

func fromTo(from, to int) string { return strconv.Itoa(from) + "–" + strconv.Itoa(to) }

// maxStep is the largest step that still means something: a number in a field
// must be in the field's range (OCPS 1.0 section 6.2).
func (g grammar) maxStep() int {
	if g.index == yearField {
		return g.max - g.min
	}
	return g.max
}

// lookup finds a name, in any letter case.
func (g grammar) lookup(word string) (int, bool) {
	if len(word) != 3 {
		return 0, false
	}
	at := strings.Index(g.names, strings.ToUpper(word))
	if at < 0 || at%3 != 0 {
		return 0, false
	}
	return g.base + at/3, true
}
