package schedule

import (
	"strconv"
	"strings"
	"time"
)

// maxExpression is the longest expression, in bytes: the width of its column.
const maxExpression = 100

// ParseCron reads a cron expression. The dialect is the Open Cron Pattern
// Specification 1.0 to 1.4, which has crontab(5) of Vixie cron at its core, with
// hashed fields added:
//
//   - five fields (minute, hour, day of month, month, day of week), six (seconds
//     first) or seven (year last, 1970–2199);
//   - values, names, ranges, lists and steps; 0 and 7 are both Sunday;
//   - "L", "LW" and "15W" for days of the month; "FRI#L", "5L" and "TUE#3" for
//     weekdays; "?" for "*" in the day fields;
//   - day of month OR day of week when neither begins with "*"; AND when the
//     latter begins with "+";
//   - "H", "H(0-29)", "H/15": a value chosen by the given seed, the task's id;
//   - "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight",
//     "@hourly", and "@every 90s".
//
// A range that runs backwards, such as "22-2", is refused. An impossible date,
// such as 30 February, is not: it simply never matches. "@reboot" is recognised
// and never matches; [Compile] refuses it.
//
// The error is an [*Error] with the field "cronExpression". The expression is at
// most 100 bytes of ASCII and carries no time zone.
func ParseCron(expr, seed string) (*Cron, error) {
	c, err := parseCron(expr, seed)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func parseCron(expr, seed string) (*Cron, *Error) {
	if err := checkText(expr); err != nil {
		return nil, err
	}
	words := strings.FieldsFunc(expr, func(r rune) bool { return r == ' ' || r == '\t' })
	text := strings.Join(words, " ")
	if strings.HasPrefix(text, "@") {
		return parseNickname(text, expr, seed)
	}
	switch len(words) {
	case 5:
		words = append(append([]string{"0"}, words...), "*")
	case 6:
		words = append(words, "*")
	case 7:
	default:
		return nil, fail("cronExpression", expr, "it has "+strconv.Itoa(len(words))+" fields, not 5, 6 or 7",
			`the five fields are minute, hour, day of month, month, day of week: "30 9 * * MON-FRI"`)
	}
	return parseFields(expr, words, seed)
}

// checkText refuses what no expression can be.
func checkText(expr string) *Error {
	bad := func(reason, hint string) *Error { return fail("cronExpression", expr, reason, hint) }
	upper := strings.ToUpper(strings.TrimSpace(expr))
	switch {
	case len(expr) > maxExpression:
		short := fail("cronExpression", expr[:maxExpression], "it is longer than 100 bytes", "use ranges and steps")
		short.Value = strings.ToValidUTF8(short.Value, "") + "…"
		return short
	case upper == "":
		return bad("it is empty", `write one such as "0 9 * * MON-FRI"`)
	case strings.HasPrefix(upper, "TZ=") || strings.HasPrefix(upper, "CRON_TZ="):
		return bad("it carries a time zone", "use the timezone field")
	}
	for i := range len(expr) {
		if c := expr[i]; c != '\t' && (c < ' ' || c > '~') {
			return bad("it has a character that is not plain ASCII at byte "+strconv.Itoa(i+1), "use spaces, digits, letters and * , - / # ? + ( ) @")
		}
	}
	return nil
}

// parseNickname reads the "@" forms (OCPS 1.1 section 4.1; "@every" is of
// robfig/cron).
func parseNickname(text, expr, seed string) (*Cron, *Error) {
	if every, ok := strings.CutPrefix(text, "@every"); ok {
		return parseEvery(strings.TrimPrefix(every, " "), expr)
	}
	if text == "@reboot" {
		return &Cron{expr: expr, reboot: true}, nil
	}
	fields, ok := nickname(text)
	if !ok {
		hint := "use @yearly, @monthly, @weekly, @daily, @hourly or @every 90s"
		if _, lower := nickname(strings.ToLower(text)); lower {
			hint = "nicknames are in small letters: " + strings.ToLower(text)
		}
		return nil, fail("cronExpression", expr, "it is not a known nickname", hint)
	}
	return parseFields(expr, strings.Fields("0 "+fields+" *"), seed)
}

func nickname(text string) (fields string, ok bool) {
	switch text {
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@hourly":
		return "0 * * * *", true
	}
	return "", false
}

func parseEvery(text, expr string) (*Cron, *Error) {
	bad := func(reason, hint string) (*Cron, *Error) { return nil, fail("cronExpression", expr, reason, hint) }
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return bad("@every is not followed by a duration", `write "@every 90s" or "@every 1h30m"`)
	case d <= 0:
		return bad("@every "+text+" is not longer than zero", "use one second or more")
	case d%time.Second != 0:
		return bad("@every "+text+" is not a whole number of seconds", "use a recurring schedule with intervalMs")
	}
	return &Cron{expr: expr, every: d}, nil
}

func parseFields(expr string, words []string, seed string) (*Cron, *Error) {
	c := &Cron{expr: expr}
	hashed := hashSeed(seed)
	for i, word := range words {
		p := fieldParser{grammar: grammarOf(i), expr: expr, seed: hashed}
		f, err := p.parse(word)
		if err != nil {
			return nil, err
		}
		c.fields[i] = f
	}
	c.build()
	return c, nil
}

// build turns the parsed fields into the sets that searches use.
func (c *Cron) build() {
	c.seconds = c.fields[secondField].set()
	c.minutes = c.fields[minuteField].set()
	c.hours = uint32(c.fields[hourField].set())
	c.wildcard = c.fields[minuteField].star || c.fields[hourField].star
	for _, it := range c.fields[yearField].items {
		for y := it.from; y <= it.to; y += it.step {
			c.years[(y-minYear)>>6] |= 1 << ((y - minYear) & 63)
		}
	}
	r := dayRule{
		months:  uint16(c.fields[monthField].set()),
		domStar: c.fields[domField].star,
		dowStar: c.fields[dowField].star,
		and:     c.fields[dowField].and,
	}
	r.addDates(c.fields[domField])
	r.addWeekdays(c.fields[dowField])
	c.either = !r.domStar && !r.dowStar && !r.and
	c.days = r.table()
}

// set gives the plain values of a field as bits.
func (f field) set() uint64 {
	var set uint64
	for _, it := range f.items {
		for n := it.from; n <= it.to; n += it.step {
			set |= 1 << n
		}
	}
	return set
}

func (r *dayRule) addDates(f field) {
	for _, it := range f.items {
		switch {
		case it.lastDay:
			r.lastDay = true
		case it.lastWork:
			r.lastWork = true
		case it.nearest:
			r.nearest = it.from
		default:
			r.dom |= uint32(field{items: []item{it}}.set())
		}
	}
}

func (r *dayRule) addWeekdays(f field) {
	for _, it := range f.items {
		switch {
		case it.nth == lastNth:
			r.lastDow |= 1 << it.from
		case it.nth > 0:
			r.nth[it.nth] |= 1 << it.from
		default:
			set := field{items: []item{it}}.set()
			r.dow |= uint8(set&0x7f | set>>7&1)
		}
	}
}
