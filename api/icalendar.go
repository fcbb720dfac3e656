package api

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

// importICalendar reads the excluded dates out of an iCalendar file (RFC 5545),
// as public holiday calendars are published. Every event excludes the dates it
// touches, by the local dates in the file. Events that repeat yearly on their
// date, or weekly on days, are taken as such; other repetitions are refused,
// because half a calendar would be worse than none. Cancelled events count for
// nothing. now bounds yearly events that end.
func importICalendar(body []byte, now time.Time) (core.CalendarSpec, error) {
	file, err := ics.ParseCalendar(bytes.NewReader(body))
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return core.CalendarSpec{}, core.Errorf(core.CodeInvalidRequest, "the body is not an iCalendar file")
	}
	var spec core.CalendarSpec
	for i, event := range file.Events() {
		if value(event, ics.ComponentPropertyStatus) == string(ics.ObjectStatusCancelled) {
			continue
		}
		if err := addEvent(&spec, event, now); err != nil {
			return spec, core.Errorf(core.CodeInvalidRequest, "event %d (%s): %s", i+1, summary(event), err)
		}
	}
	for _, list := range []*[]string{&spec.Dates, &spec.Yearly, &spec.Weekdays} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return spec, nil
}

// onExcluded reads what happens on excluded dates from the query.
func onExcluded(c *fiber.Ctx) schedule.OnExcluded {
	return schedule.OnExcluded(strings.Clone(c.Query("onExcluded")))
}

func value(event *ics.VEvent, p ics.ComponentProperty) string {
	if found := event.GetProperty(p); found != nil {
		return strings.TrimSpace(found.Value)
	}
	return ""
}

func summary(event *ics.VEvent) string {
	return fmt.Sprintf("%.60q", value(event, ics.ComponentPropertySummary))
}

func addEvent(spec *core.CalendarSpec, event *ics.VEvent, now time.Time) error {
	first, last, err := eventDates(event)
	if err != nil {
		return err
	}
	for _, p := range []ics.ComponentProperty{ics.ComponentPropertyRdate, ics.ComponentPropertyExdate} {
		if value(event, p) != "" {
			return fmt.Errorf("%s is not supported; list the dates as events of their own", p)
		}
	}
	rule := value(event, ics.ComponentPropertyRrule)
	switch {
	case rule != "":
		return addRepeating(spec, rule, first, last, now)
	case first.Equal(last):
		spec.Dates = append(spec.Dates, first.Format(time.DateOnly))
	default:
		spec.Ranges = append(spec.Ranges, schedule.DateRange{From: first.Format(time.DateOnly), To: last.Format(time.DateOnly)})
	}
	return nil
}

// eventDates returns the first and the last local date that an event touches.
// DTEND is exclusive (RFC 5545 section 3.6.1).
func eventDates(event *ics.VEvent) (first, last time.Time, err error) {
	first, _, err = localTime(value(event, ics.ComponentPropertyDtStart))
	if err != nil {
		return first, first, fmt.Errorf("DTSTART %w", err)
	}
	raw := value(event, ics.ComponentPropertyDtEnd)
	if raw == "" {
		if value(event, ics.ComponentPropertyDuration) != "" {
			return first, first, fmt.Errorf("DURATION is not supported; use DTEND")
		}
		return first, first, nil
	}
	last, midnight, err := localTime(raw)
	if err != nil {
		return first, first, fmt.Errorf("DTEND %w", err)
	}
	if midnight {
		last = last.AddDate(0, 0, -1)
	}
	if last.Before(first) {
		last = first
	}
	return first, last, nil
}

// localTime reads the date of a DATE or DATE-TIME value, and whether it is at
// midnight.
func localTime(raw string) (date time.Time, midnight bool, err error) {
	raw = strings.TrimSuffix(raw, "Z")
	day, clock, timed := strings.Cut(raw, "T")
	date, err = time.Parse("20060102", day)
	if err != nil {
		return date, false, fmt.Errorf("%.30q is no date", raw)
	}
	return date, !timed || clock == "000000", nil
}

var icsWeekdays = map[string]string{
	"MO": "MON", "TU": "TUE", "WE": "WED", "TH": "THU", "FR": "FRI", "SA": "SAT", "SU": "SUN",
}

func addRepeating(spec *core.CalendarSpec, rule string, first, last, now time.Time) error {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.ToUpper(rule), ";") {
		name, v, _ := strings.Cut(part, "=")
		parts[name] = v
	}
	frequency := parts["FREQ"]
	delete(parts, "FREQ")
	delete(parts, "WKST")
	if parts["INTERVAL"] == "1" {
		delete(parts, "INTERVAL")
	}
	switch frequency {
	case "YEARLY":
		return addYearly(spec, parts, first, last, now)
	case "WEEKLY":
		return addWeekly(spec, parts, first, last)
	}
	return unsupportedRule(rule)
}

func unsupportedRule(rule string) error {
	return fmt.Errorf("RRULE %.60q is not supported; list the dates as events of their own", rule)
}

// addYearly takes an event of one date that comes back each year, for ever or
// until a date.
func addYearly(spec *core.CalendarSpec, parts map[string]string, first, last, now time.Time) error {
	if parts["BYMONTH"] == fmt.Sprint(int(first.Month())) {
		delete(parts, "BYMONTH")
	}
	if parts["BYMONTHDAY"] == fmt.Sprint(first.Day()) {
		delete(parts, "BYMONTHDAY")
	}
	until, ends := parts["UNTIL"]
	delete(parts, "UNTIL")
	if len(parts) > 0 || !first.Equal(last) {
		return unsupportedRule("YEARLY")
	}
	if !ends {
		spec.Yearly = append(spec.Yearly, first.Format("01-02"))
		return nil
	}
	end, _, err := localTime(until)
	if err != nil {
		return fmt.Errorf("UNTIL %w", err)
	}
	for year := max(first.Year(), now.Year()-1); year <= min(end.Year(), now.Year()+100); year++ {
		date := time.Date(year, first.Month(), first.Day(), 0, 0, 0, 0, time.UTC)
		if date.Day() == first.Day() && !date.After(end) {
			spec.Dates = append(spec.Dates, date.Format(time.DateOnly))
		}
	}
	return nil
}

// addWeekly takes an event that comes back each week for ever.
func addWeekly(spec *core.CalendarSpec, parts map[string]string, first, last time.Time) error {
	days, ok := parts["BYDAY"]
	delete(parts, "BYDAY")
	if len(parts) > 0 || !first.Equal(last) {
		return unsupportedRule("WEEKLY")
	}
	if !ok {
		spec.Weekdays = append(spec.Weekdays, strings.ToUpper(first.Weekday().String()[:3]))
		return nil
	}
	for day := range strings.SplitSeq(days, ",") {
		name, known := icsWeekdays[day]
		if !known {
			return unsupportedRule("WEEKLY;BYDAY=" + days)
		}
		spec.Weekdays = append(spec.Weekdays, name)
	}
	return nil
}
