package core

import (
	"regexp"
	"strconv"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// CalendarSpec is what a user says about a calendar: the dates on which the
// tasks that name it do not run, and what happens instead. schedule.Calendar
// has the rules.
type CalendarSpec struct {
	Name        string               `json:"name"` // how tasks refer to it; cannot change
	Description string               `json:"description"`
	Dates       []string             `json:"dates"`      // 2026-12-25
	Yearly      []string             `json:"yearly"`     // 12-25
	Weekdays    []string             `json:"weekdays"`   // SAT
	Ranges      []schedule.DateRange `json:"ranges"`     // both ends included
	OnExcluded  schedule.OnExcluded  `json:"onExcluded"` // skip, next or previous
}

// Calendar is a stored calendar.
type Calendar struct {
	ID string `json:"id"`
	CalendarSpec
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	Version   int64     `json:"version"`
}

// CalendarSet holds calendars by name.
type CalendarSet map[string]schedule.Calendar

// maxCalendarDates bounds each list of a calendar.
const maxCalendarDates = 5000

var calendarName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Validate checks a calendar, by the same rules that a schedule with it is
// compiled by. It fails with VALIDATION_FAILED and names every wrong field.
func (s CalendarSpec) Validate() error {
	var p problems
	if !calendarName.MatchString(s.Name) {
		p.add("/name", "%.80q is no calendar name: up to 63 lower-case letters, digits and . _ - after a letter or digit", s.Name)
	}
	p.text("/description", s.Description, 0, MaxDescriptionLength)
	for field, n := range map[string]int{
		"/dates": len(s.Dates), "/yearly": len(s.Yearly), "/weekdays": len(s.Weekdays), "/ranges": len(s.Ranges),
	} {
		if n > maxCalendarDates {
			p.add(field, "%d entries, at most %d are allowed", n, maxCalendarDates)
		}
	}
	if len(p) == 0 {
		s.checkDates(&p)
	}
	return Invalid(CodeValidationFailed, p)
}

func (s CalendarSpec) checkDates(p *problems) {
	_, err := schedule.Compile(schedule.Config{Kind: schedule.KindManual, Calendars: []schedule.Calendar{s.rule()}})
	if err != nil {
		if e := scheduleProblem(err, "calendars/0/"); e != nil {
			*p = append(*p, *e)
		}
	}
}

// rule is the calendar as the schedule arithmetic knows it.
func (s CalendarSpec) rule() schedule.Calendar {
	return schedule.Calendar{
		Name: s.Name, Dates: s.Dates, Yearly: s.Yearly, Weekdays: s.Weekdays, Ranges: s.Ranges, OnExcluded: s.OnExcluded,
	}
}

// NewCalendar makes a stored calendar out of a valid spec.
func NewCalendar(spec CalendarSpec, now time.Time) Calendar {
	now = Instant(now)
	return Calendar{ID: NewID(), CalendarSpec: spec.normalized(), CreatedAt: now, UpdatedAt: now, Version: 1}
}

func (s CalendarSpec) normalized() CalendarSpec {
	for _, list := range []*[]string{&s.Dates, &s.Yearly, &s.Weekdays} {
		if *list == nil {
			*list = []string{}
		}
	}
	if s.Ranges == nil {
		s.Ranges = []schedule.DateRange{}
	}
	if s.OnExcluded == "" {
		s.OnExcluded = schedule.ExcludedSkip
	}
	return s
}

// CalendarSetOf gathers calendars by name.
func CalendarSetOf(all []Calendar) CalendarSet {
	set := make(CalendarSet, len(all))
	for _, c := range all {
		set[c.Name] = c.rule()
	}
	return set
}

// pick returns the named calendars, or says which one is missing.
func (s CalendarSet) pick(names []string) ([]schedule.Calendar, error) {
	picked := make([]schedule.Calendar, len(names))
	for i, name := range names {
		c, ok := s[name]
		if !ok {
			return nil, Invalid(CodeInvalidSchedule, []FieldProblem{{
				Field: "/calendars/" + strconv.Itoa(i), Problem: "no calendar is named " + strconv.Quote(name),
			}})
		}
		picked[i] = c
	}
	return picked, nil
}
