package schedule

import (
	"strconv"
	"strings"
)

// specialDay reads the day-of-month forms "L", "LW" and "15W" (OCPS 1.3 sections
// 4.1 and 4.3).
func (p fieldParser) specialDay(part string) (item, *Error) {
	switch part {
	case "L":
		return item{lastDay: true}, nil
	case "LW":
		return item{lastWork: true}, nil
	}
	digits, isW := strings.CutSuffix(part, "W")
	if !isW {
		return item{}, p.fail(p.name+" "+strconv.Quote(part)+" is not understood", `"L" is the last day of the month; weekdays belong in the last field`)
	}
	if strings.Contains(digits, "-") {
		return item{}, p.fail(p.name+" "+strconv.Quote(part)+" has W on a range", `W stands for one day, such as "15W"`)
	}
	n, err := p.value(digits)
	if err != nil {
		return item{}, err
	}
	return item{from: n, to: n, step: 1, nearest: true}, nil
}

// specialWeekday reads "5L", "FRI#L" and "TUE#3" (OCPS 1.3 sections 4.1 and 4.2).
func (p fieldParser) specialWeekday(part string) (item, *Error) {
	word, which, hasHash := strings.Cut(part, "#")
	if !hasHash {
		word, which = strings.TrimSuffix(part, "L"), "L"
		if word == "" {
			word = "L"
		}
	}
	if strings.Contains(word, "-") {
		return item{}, p.fail(p.name+" "+strconv.Quote(part)+" counts a range", `list the days: "MON#1,TUE#1"`)
	}
	weekday, err := p.value(word)
	if err != nil {
		return item{}, err
	}
	it := item{from: weekday % 7, to: weekday % 7, step: 1, nth: lastNth}
	if which == "L" {
		return it, nil
	}
	n, ok := number(which)
	if !ok || n < 1 || n > 5 {
		return item{}, p.fail(p.name+" "+strconv.Quote(part)+" does not say which one of the month", "use #1 to #5, or #L for the last")
	}
	it.nth = n
	return it, nil
}

// hashed reads "H", "H(0-29)", "H/15" and "H(0-29)/10": a value that the
// identity of the task chooses, so that many tasks with the same expression
// spread out. The notation is that of Jenkins.
func (p fieldParser) hashed(part string) (item, *Error) {
	if p.index == yearField {
		return item{}, p.fail("year may not be hashed", "write the years")
	}
	body, step, err := p.cutStep(part)
	if err != nil {
		return item{}, err
	}
	from, to := p.min, p.hashMax
	if body != "H" {
		inner, ok := strings.CutPrefix(body, "H(")
		inner, closed := strings.CutSuffix(inner, ")")
		if !ok || !closed {
			return item{}, p.fail(p.name+" "+strconv.Quote(part)+" is not understood", `H is written "H", "H(0-29)" or "H/15"`)
		}
		bounds, err := p.span(inner)
		if err != nil {
			return item{}, err
		}
		from, to = bounds.from, bounds.to
	} else if step > 0 && p.index != dowField {
		to = p.max
	}
	return p.pick(from, to, step), nil
}

// pick chooses one value of a range, or, given a step, the phase of the step.
func (p fieldParser) pick(from, to, step int) item {
	choices := to - from + 1
	if step > 0 {
		choices = min(choices, step)
	}
	chosen := from + int(mix(p.seed^uint64(p.index+1)*0x9e3779b97f4a7c15)%uint64(choices))
	if step == 0 {
		return item{from: chosen, to: chosen, step: 1}
	}
	return item{from: chosen, to: to, step: step}
}
