package schedule

import (
	"strconv"
	"strings"
	"time"
)

// describeDays describes the date fields without the year; empty when every day
// matches.
func (c *Cron) describeDays() string {
	dom, dow := c.fields[domField], c.fields[dowField]
	byDate, byWeekday := dateWords(dom), weekdayWords(dow)
	months := monthWords(c.fields[monthField])
	ofMonth := "of every month"
	if months != "" {
		ofMonth = "of " + months
	}
	counted := false
	for _, it := range dow.items {
		counted = counted || it.nth != 0
	}
	if byWeekday != "" {
		byWeekday = "on " + byWeekday
		if counted {
			byWeekday += " " + ofMonth
		}
	}
	if byDate != "" {
		byDate = "on " + byDate + " " + ofMonth
	}
	switch {
	case byDate != "" && byWeekday != "" && c.either:
		if months != "" && !counted {
			byWeekday += " in " + months
		}
		return byDate + " or " + byWeekday
	case byDate != "" && byWeekday != "":
		return byDate + " if that is also " + strings.TrimPrefix(byWeekday, "on ")
	case byDate != "":
		return byDate
	case months == "" || counted:
		return byWeekday
	case byWeekday == "":
		return "every day in " + months
	}
	return byWeekday + " in " + months
}

// dateWords describes the day-of-month field; empty when it holds every day.
func dateWords(f field) string {
	var words []string
	for _, it := range f.items {
		switch {
		case it.lastDay:
			words = append(words, "the last day")
		case it.lastWork:
			words = append(words, "the last workday")
		case it.nearest:
			words = append(words, "the workday nearest the "+ordinal(it.from))
		case it.from == 1 && it.to == 31 && it.step == 1:
			return ""
		default:
			words = append(words, rangeWords(it, func(n int) string { return "the " + ordinal(n) })...)
		}
	}
	return listWords(words)
}

// weekdayWords describes the day-of-week field; empty when it holds every day.
func weekdayWords(f field) string {
	var words []string
	name := func(n int) string { return time.Weekday(n % 7).String() }
	for _, it := range f.items {
		switch {
		case it.nth == lastNth:
			words = append(words, "the last "+name(it.from))
		case it.nth > 0:
			words = append(words, "the "+nthWord(it.nth)+" "+name(it.from))
		case it.to-it.from >= 6 && it.step == 1:
			return ""
		default:
			words = append(words, rangeWords(it, name)...)
		}
	}
	return listWords(words)
}

// monthWords describes the month field; empty when it holds every month.
func monthWords(f field) string {
	var words []string
	for _, it := range f.items {
		if it.from == 1 && it.to == 12 && it.step == 1 {
			return ""
		}
		words = append(words, rangeWords(it, func(n int) string { return time.Month(n).String() })...)
	}
	return listWords(words)
}

func (c *Cron) describeYears() string {
	var words []string
	for _, it := range c.fields[yearField].items {
		if it.from == minYear && it.to == maxYear && it.step == 1 {
			return ""
		}
		if it.step > 1 && it.to-it.from > 5*it.step {
			words = append(words, "every "+ordinal(it.step)+" year from "+strconv.Itoa(it.from)+" to "+strconv.Itoa(it.to))
			continue
		}
		words = append(words, rangeWords(it, strconv.Itoa)...)
	}
	return "in " + listWords(words)
}

// rangeWords names the values of an item: a range of three or more by its ends.
func rangeWords(it item, name func(int) string) []string {
	if it.step == 1 && it.to-it.from >= 2 {
		return []string{name(it.from) + " to " + name(it.to)}
	}
	var words []string
	for n := it.from; n <= it.to; n += it.step {
		words = append(words, name(n))
	}
	return words
}

func listWords(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " and " + words[n]
}

func joinWords(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}

func nthWord(n int) string {
	return []string{"", "first", "second", "third", "fourth", "fifth"}[n]
}

func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}
