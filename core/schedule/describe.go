package schedule

import (
	"strconv"
	"strings"
	"time"
)

// Describe says in English when the rule fires, on the clock of the schedule's
// zone: "At 02:30 on the last Friday of every month", "Every 90 seconds", "Once
// at 2026-07-01 09:00". Calendars, windows and jitter are not part of it.
func (s *Spec) Describe() string {
	switch s.kind {
	case KindOnce:
		return "Once at " + wallText(wallAt(s.loc, s.rule.(onceRule).at))
	case KindRecurring:
		return describeInterval(s.interval)
	case KindCron:
		return s.cron.Describe()
	case KindDependency:
		return "After its dependencies"
	}
	return "Only when asked"
}

// Describe says in English when the expression matches.
func (c *Cron) Describe() string {
	switch {
	case c.reboot:
		return "When the scheduler starts"
	case c.every > 0:
		return describeInterval(c.every)
	}
	text, often := c.describeTime()
	days := c.describeDays()
	if days == "" && !often {
		days = "every day"
	}
	return joinWords(text, days, c.describeYears())
}

func describeInterval(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}, {"millisecond", time.Millisecond}}
	for _, u := range units {
		if d%u.size == 0 {
			return every(int(d/u.size), u.name)
		}
	}
	return "Every " + d.String()
}

func every(n int, unit string) string {
	if n == 1 {
		return "Every " + unit
	}
	return "Every " + strconv.Itoa(n) + " " + unit + "s"
}

// mostTimes is how many times of day are still listed one by one.
const mostTimes = 6

// describeTime describes the three time fields; often is true when the text
// already speaks of repetition, so that "every day" would add nothing.
func (c *Cron) describeTime() (text string, often bool) {
	seconds, minutes, hours := members(c.seconds), members(c.minutes), members(uint64(c.hours))
	if len(seconds)*len(minutes)*len(hours) <= mostTimes {
		return "At " + listWords(timesOfDay(hours, minutes, seconds)), false
	}
	onHour := len(seconds) == 1 && seconds[0] == 0
	switch {
	case len(seconds) == 1 && len(minutes) == 1:
		return c.describeHours(minutes[0], seconds[0], hours), true
	case onHour:
		text = describeSet(minutes, 60, "minute", "every hour")
	default:
		text = describeSet(seconds, 60, "second", "every minute")
		if len(minutes) < 60 {
			text += ", " + lowerFirst(describeSet(minutes, 60, "minute", "every hour"))
		}
	}
	return joinWords(text, hoursClause(hours)), true
}

// describeHours describes one minute in many hours.
func (c *Cron) describeHours(minute, sec int, hours []int) string {
	past := ":" + two(minute)
	if sec != 0 {
		past += ":" + two(sec)
	}
	step, even := stepOf(hours, 24)
	switch {
	case even && minute == 0 && sec == 0:
		return every(step, "hour")
	case even && step == 1:
		return "Every hour at " + past
	case even:
		return "Every " + strconv.Itoa(step) + " hours at " + past
	}
	return joinWords("Every hour at "+past, hoursClause(hours))
}

func hoursClause(hours []int) string {
	first, last := hours[0], hours[len(hours)-1]
	switch {
	case len(hours) == 24:
		return ""
	case last-first+1 == len(hours):
		return "from " + two(first) + ":00 to " + two(last) + ":59"
	}
	if step, even := stepOf(hours, 24); even {
		return "of every " + ordinal(step) + " hour"
	}
	words := make([]string, len(hours))
	for i, h := range hours {
		words[i] = two(h)
	}
	return "in the hours " + listWords(words)
}

// describeSet describes the members of a field that repeats, such as the minutes
// of the hour.
func describeSet(set []int, size int, unit, per string) string {
	if step, even := stepOf(set, size); even {
		return every(step, unit)
	}
	if len(set) > 1 && set[len(set)-1]-set[0]+1 == len(set) {
		return "Every " + unit + " from " + strconv.Itoa(set[0]) + " to " + strconv.Itoa(set[len(set)-1]) + " of " + per
	}
	words := make([]string, len(set))
	for i, n := range set {
		words[i] = strconv.Itoa(n)
	}
	if len(set) > 1 {
		unit += "s"
	}
	return "At " + unit + " " + listWords(words) + " of " + per
}

// stepOf reports whether a set is all multiples of one step that divides size,
// so that it repeats evenly around the clock.
func stepOf(set []int, size int) (step int, even bool) {
	if set[0] != 0 || len(set) < 2 || size%len(set) != 0 {
		return 0, false
	}
	step = size / len(set)
	for i, n := range set {
		if n != i*step {
			return 0, false
		}
	}
	return step, true
}

func timesOfDay(hours, minutes, seconds []int) []string {
	var times []string
	for _, h := range hours {
		for _, m := range minutes {
			for _, s := range seconds {
				text := two(h) + ":" + two(m)
				if s != 0 || len(seconds) > 1 {
					text += ":" + two(s)
				}
				times = append(times, text)
			}
		}
	}
	return times
}

func members(set uint64) []int {
	var all []int
	for n := nextBit(set, 0); n >= 0; n = nextBit(set, n+1) {
		all = append(all, n)
	}
	return all
}

func two(n int) string { return strconv.Itoa(n/10) + strconv.Itoa(n%10) }

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
