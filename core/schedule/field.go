package schedule

import (
	"strconv"
	"strings"
)

// field is one parsed field.
type field struct {
	text  string
	star  bool // begins with "*" or is "?": Vixie's mark of an unrestricted field
	and   bool // began with "+"
	items []item
}

// item is one part of a list. It is a range with a step, where a single value is
// a range of one, unless one of the marks below says more.
type item struct {
	from, to, step int
	nth            int  // weekday from: the nth of the month; lastNth for the last
	nearest        bool // the workday nearest to day from
	lastDay        bool // the last day of the month
	lastWork       bool // the last workday of the month
}

const lastNth = -1

// fieldParser reads one field of an expression.
type fieldParser struct {
	grammar
	expr string // the whole expression, for messages
	seed uint64
}

func (p fieldParser) fail(reason, hint string) *Error {
	return fail("cronExpression", p.expr, reason, hint)
}

func (p fieldParser) parse(text string) (field, *Error) {
	f := field{text: text}
	if rest, ok := strings.CutPrefix(text, "+"); ok {
		if p.index != dowField {
			return f, p.fail(p.name+" "+strconv.Quote(text)+` has a "+"`, `"+" may only begin the day of week field`)
		}
		f.and, text = true, rest
	}
	f.star = strings.HasPrefix(text, "*") || text == "?"
	parts := strings.Split(text, ",")
	for _, part := range parts {
		it, err := p.item(part)
		if err != nil {
			return f, err
		}
		if (it.nearest || it.lastWork) && len(parts) > 1 {
			return f, p.fail(p.name+" "+strconv.Quote(text)+" has W in a list", "W stands for one day and must stand alone")
		}
		f.items = append(f.items, it)
	}
	return f, nil
}

func (p fieldParser) item(part string) (item, *Error) {
	switch {
	case part == "":
		return item{}, p.fail(p.name+" has an empty item", "take out the extra comma or sign")
	case part == "?":
		return p.question()
	case strings.HasPrefix(part, "H"):
		return p.hashed(part)
	case p.index == domField && (strings.HasSuffix(part, "L") || strings.HasSuffix(part, "W")):
		return p.specialDay(part)
	case p.index == dowField && (strings.Contains(part, "#") || strings.HasSuffix(part, "L")):
		return p.specialWeekday(part)
	}
	body, step, err := p.cutStep(part)
	if err != nil {
		return item{}, err
	}
	if body == "*" {
		return item{from: p.min, to: p.max, step: max(step, 1)}, nil
	}
	it, err := p.span(body)
	if err == nil && step > 0 && !strings.Contains(body, "-") {
		return it, p.fail(p.name+" "+strconv.Quote(part)+" has a step without a range",
			"write "+strconv.Quote(body+"-"+strconv.Itoa(p.max)+"/"+strconv.Itoa(step)))
	}
	it.step = max(step, 1)
	return it, err
}

func (p fieldParser) question() (item, *Error) {
	if p.index != domField && p.index != dowField {
		return item{}, p.fail(p.name+` may not be "?"`, `"?" is for the two day fields; write "*"`)
	}
	return item{from: p.min, to: p.max, step: 1}, nil
}

// cutStep takes a "/n" off the end; the step is 0 when there is none.
func (p fieldParser) cutStep(part string) (body string, step int, err *Error) {
	body, text, found := strings.Cut(part, "/")
	if !found {
		return body, 0, nil
	}
	if body == "" {
		return body, 0, p.fail(p.name+" "+strconv.Quote(part)+" has a step without a range", `write "*`+part+`"`)
	}
	step, ok := number(text)
	switch {
	case !ok:
		return body, 0, p.fail(p.name+" step "+strconv.Quote(text)+" is not a number", "")
	case step == 0:
		return body, 0, p.fail(p.name+" step 0 would never move on", "use a step of 1 or more")
	case step > p.maxStep():
		return body, 0, p.fail(p.name+" step "+text+" is out of "+fromTo(1, p.maxStep()), `to match one value, write just that value`)
	}
	return body, step, nil
}

// span reads a value or a range of two.
func (p fieldParser) span(body string) (item, *Error) {
	low, high, isRange := strings.Cut(body, "-")
	from, err := p.value(low)
	if err != nil || !isRange {
		return item{from: from, to: from, step: 1}, err
	}
	to, err := p.value(high)
	if err != nil {
		return item{}, err
	}
	if p.index == dowField && to == 0 && from > 0 && strings.EqualFold(high, "SUN") {
		to = 7 // OCPS 1.0 section 4.2: SUN is 0 or 7
	}
	if from > to {
		return item{}, p.fail(p.name+" range "+body+" runs backwards", "write two ranges: "+p.unwrap(low, high))
	}
	return item{from: from, to: to, step: 1}, nil
}

// unwrap writes a backward range as the two forward ones that were meant.
func (p fieldParser) unwrap(low, high string) string {
	first, last := strconv.Itoa(p.min), strconv.Itoa(p.max)
	if p.index == dowField {
		last = "6"
		if _, named := p.lookup(low); named {
			first, last = "SUN", "SAT"
		}
	} else if _, named := p.lookup(low); named {
		first, last = "JAN", "DEC"
	}
	return pair(low, last) + "," + pair(first, high)
}

func pair(from, to string) string {
	if strings.EqualFold(from, to) {
		return from
	}
	return from + "-" + to
}

// value reads a number or a name and holds it to the range of the field.
func (p fieldParser) value(word string) (int, *Error) {
	if n, ok := p.lookup(word); ok {
		return n, nil
	}
	n, ok := number(word)
	if !ok {
		return 0, p.fail(p.name+" "+strconv.Quote(word)+" is not understood", p.help(word))
	}
	if n < p.min || n > p.max {
		return 0, p.fail(p.name+" "+word+" is out of "+p.bounds(), p.rangeHint(n))
	}
	return n, nil
}

// help guesses what was meant by a word that is no value.
func (p fieldParser) help(word string) string {
	switch {
	case word == "":
		return "a range needs a value on each side"
	case word == "L" && p.index == dowField:
		return `name the weekday: "FRI#L" is the last Friday of the month`
	case strings.ContainsAny(word, "lw") && (p.index == domField || p.index == dowField):
		return "L and W must be capital letters"
	case strings.ContainsAny(word, "LW#"):
		return "L, W and # are for the day fields"
	case p.names != "":
		return "use " + p.bounds() + " or a three-letter English name"
	}
	return "use " + p.bounds() + `, "*", ranges, lists and steps`
}

func (p fieldParser) rangeHint(n int) string {
	switch {
	case n == p.max+1 && p.min == 0 && p.index != dowField:
		return "the last " + p.name + " is " + strconv.Itoa(p.max)
	case p.index == yearField:
		return "the supported years are " + p.bounds()
	}
	return "use " + p.bounds()
}

// number reads a short run of digits.
func number(text string) (int, bool) {
	if text == "" || len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
