package schedule

import (
	"slices"
	"strconv"
	"time"
)

// OnExcluded says what happens to an occurrence on an excluded date.
type OnExcluded string

// The policies for excluded dates.
const (
	// ExcludedSkip drops the occurrence. The default.
	ExcludedSkip OnExcluded = "skip"
	// ExcludedNext moves it to the next date that no calendar excludes.
	ExcludedNext OnExcluded = "next"
	// ExcludedPrevious moves it to the previous such date.
	ExcludedPrevious OnExcluded = "previous"
)

// Calendar excludes dates: holidays, weekends, freezes. Dates are read in the
// zone of the schedule.
//
// A moved occurrence keeps its time of day. A date takes in the occurrences of
// one date at most: what would move onto a date that has occurrences of its own
// is merged into those, and when several excluded dates lead to the same date,
// the nearest that has occurrences is the one that moves. Times in the second
// pass of a repeated hour do not move when the first pass does.
//
// Where calendars overlap, skip wins. Calendars that move forwards and calendars
// that move backwards do not go together in one schedule.
type Calendar struct {
	// Name is for people; it has no effect here.
	Name string `json:"name"`
	// Dates are single dates, "2026-12-25".
	Dates []string `json:"dates"`
	// Yearly are dates of every year, "12-25". "02-29" counts in leap years.
	Yearly []string `json:"yearly"`
	// Weekdays are excluded days of the week, "SAT".
	Weekdays []string `json:"weekdays"`
	// Ranges are periods, both ends included.
	Ranges []DateRange `json:"ranges"`
	// OnExcluded is skip, next or previous. Defaults to skip.
	OnExcluded OnExcluded `json:"onExcluded"`
}

// DateRange is a period from one date to another, both included.
type DateRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// calendar is all calendars of a schedule, compiled. Index 0 holds what is
// skipped, index 1 what moves.
type calendar struct {
	skipped, moved exclusion
	back           bool // moves go to the previous date
}

// exclusion is a set of dates.
type exclusion struct {
	weekdays uint8
	yearly   [13]uint32 // yearly[12] bit 25: 25 December
	periods  [][2]int64 // sorted, disjoint, both ends included
}

func compileCalendars(s *Spec, c Config) *Error {
	if len(c.Calendars) == 0 {
		return nil
	}
	s.calendar = new(calendar)
	direction := OnExcluded("")
	for i, cal := range c.Calendars {
		path := "calendars/" + strconv.Itoa(i)
		into := &s.calendar.moved
		switch cal.OnExcluded {
		case "", ExcludedSkip:
			into = &s.calendar.skipped
		case ExcludedNext, ExcludedPrevious:
			if direction != "" && direction != cal.OnExcluded {
				return fail(path+"/onExcluded", string(cal.OnExcluded),
					"another calendar of this schedule moves the other way", "let all of them move the same way, or skip")
			}
			direction = cal.OnExcluded
		default:
			return fail(path+"/onExcluded", string(cal.OnExcluded), "it is not a policy", "use skip, next or previous")
		}
		if err := cal.addTo(into); err != nil {
			return err.at(path)
		}
	}
	s.calendar.back = direction == ExcludedPrevious
	s.calendar.skipped.sort()
	s.calendar.moved.sort()
	return nil
}

func (c Calendar) addTo(e *exclusion) *Error {
	for i, text := range c.Dates {
		d, err := parseDate("dates/"+strconv.Itoa(i), text)
		if err != nil {
			return err
		}
		e.periods = append(e.periods, [2]int64{d, d})
	}
	for i, text := range c.Yearly {
		d, err := parseDate("yearly/"+strconv.Itoa(i), "2000-"+text) // a leap year, for 29 February
		if err != nil {
			err.Value, err.Hint = text, `write month and day: "12-25"`
			return err
		}
		_, mon, dom := civil(d)
		e.yearly[mon] |= 1 << dom
	}
	for i, r := range c.Ranges {
		from, err := parseDate("ranges/"+strconv.Itoa(i)+"/from", r.From)
		if err != nil {
			return err
		}
		to, err := parseDate("ranges/"+strconv.Itoa(i)+"/to", r.To)
		if err != nil {
			return err
		}
		if to < from {
			return fail("ranges/"+strconv.Itoa(i)+"/to", r.To, "it is before "+r.From, "swap the two")
		}
		e.periods = append(e.periods, [2]int64{from, to})
	}
	days, err := weekdaySet("weekdays", c.Weekdays)
	e.weekdays |= days
	return err
}

func parseDate(field, text string) (int64, *Error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < minYear || t.Year() > maxYear {
		return 0, fail(field, text, "it is not a date", `write year, month and day: "2026-12-25"`)
	}
	return floorDiv(t.Unix(), day), nil
}

// sort puts the periods in order and joins those that touch.
func (e *exclusion) sort() {
	slices.SortFunc(e.periods, func(a, b [2]int64) int { return int(a[0] - b[0]) })
	joined := e.periods[:0]
	for _, p := range e.periods {
		if n := len(joined); n > 0 && p[0] <= joined[n-1][1]+1 {
			joined[n-1][1] = max(joined[n-1][1], p[1])
			continue
		}
		joined = append(joined, p)
	}
	e.periods = joined
}

func (e *exclusion) has(date int64) bool {
	if e.weekdays>>weekdayOf(date)&1 != 0 {
		return true
	}
	if e.yearly != [13]uint32{} {
		if _, mon, d := civil(date); e.yearly[mon]>>d&1 != 0 {
			return true
		}
	}
	_, found := slices.BinarySearchFunc(e.periods, date, func(p [2]int64, d int64) int {
		switch {
		case p[1] < d:
			return -1
		case p[0] > d:
			return 1
		}
		return 0
	})
	return found
}

func (c *calendar) free(date int64) bool { return !c.skipped.has(date) && !c.moved.has(date) }

// moves reports whether occurrences of an excluded date move.
func (c *calendar) moves(date int64) bool { return !c.skipped.has(date) && c.moved.has(date) }

// nextFree gives the first date after the given one that no calendar excludes.
func (c *calendar) nextFree(date int64, m *meter) (int64, bool) {
	for date++; date <= maxWall/day; date++ {
		if !m.step() {
			break
		}
		if c.free(date) {
			return date, true
		}
	}
	return 0, false
}

// prevFree gives the last date before the given one that no calendar excludes.
func (c *calendar) prevFree(date int64, m *meter) (int64, bool) {
	for date--; date >= 0 && m.step(); date-- {
		if c.free(date) {
			return date, true
		}
	}
	return 0, false
}
