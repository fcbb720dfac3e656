package schedule

// dayTable says for each of the fourteen kinds of year which dates match. It is
// computed once when an expression is parsed, so that a search over the years
// costs a look-up for each.
type dayTable struct {
	days   [14][12]uint32 // bit n: day n of the month matches
	months [14]uint16     // bit n: month n has a matching day
}

// dayRule is what the three date fields of an expression ask for.
type dayRule struct {
	months uint16 // bit n: month n

	dom      uint32 // bit n: day n of the month
	lastDay  bool   // "L"
	lastWork bool   // "LW"
	nearest  int    // "15W": 15; 0 when absent
	domStar  bool   // the field begins with "*" or "?"

	dow     uint8    // bit n: weekday n, 0 is Sunday
	nth     [6]uint8 // nth[3] bit 2: the third Tuesday
	lastDow uint8    // bit n: the last weekday n of the month
	dowStar bool
	and     bool // "+": both day fields must match
}

func (r *dayRule) table() *dayTable {
	t := new(dayTable)
	for kind := range t.days {
		first := kind % 7
		for mon := 1; mon <= 12; mon++ {
			length := monthLength(mon, kind >= 7)
			set := r.daysOf(mon, first, length)
			t.days[kind][mon-1] = set
			if set != 0 {
				t.months[kind] |= 1 << mon
			}
			first = (first + length) % 7
		}
	}
	return t
}

// daysOf gives the matching days of a month that begins on the given weekday.
//
// Vixie cron's rule: when either day field begins with "*" both must match, else
// one is enough (crontab(5); OCPS 1.0 section 6.1). "+" asks for both (OCPS 1.4
// section 4.1.2).
func (r *dayRule) daysOf(mon, first, length int) uint32 {
	if r.months>>mon&1 == 0 {
		return 0
	}
	byDate, byWeekday := r.byDate(first, length), r.byWeekday(first, length)
	if r.domStar || r.dowStar || r.and {
		return byDate & byWeekday
	}
	return byDate | byWeekday
}

func (r *dayRule) byDate(first, length int) uint32 {
	set := r.dom & allDays(length)
	if r.lastDay {
		set |= 1 << length
	}
	if r.lastWork {
		set |= 1 << nearestWorkday(length, first, length)
	}
	if r.nearest > 0 && r.nearest <= length {
		set |= 1 << nearestWorkday(r.nearest, first, length)
	}
	return set
}

func (r *dayRule) byWeekday(first, length int) uint32 {
	set := everyWeek(r.dow, first)
	set |= everyWeek(r.lastDow, first) &^ allDays(length-7)
	for n, weekdays := range r.nth {
		if weekdays != 0 {
			set |= everyWeek(weekdays, first) & allDays(7*n) &^ allDays(7*n-7)
		}
	}
	return set & allDays(length)
}

// everyWeek gives the days of a month on which a set of weekdays falls, in a
// month that begins on the weekday first and is long enough.
func everyWeek(weekdays uint8, first int) uint32 {
	const everySeventh = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28
	week := (uint64(weekdays) | uint64(weekdays)<<7) >> first & 0x7f // bit 0: the 1st
	return uint32(week * everySeventh << 1)
}

// nearestWorkday gives the day from Monday to Friday that is nearest to d
// without leaving the month (OCPS 1.3 section 4.3).
func nearestWorkday(d, first, length int) int {
	switch (first + d - 1) % 7 {
	case 6: // Saturday
		if d == 1 {
			return 3
		}
		return d - 1
	case 0: // Sunday
		if d == length {
			return d - 2
		}
		return d + 1
	}
	return d
}

func allDays(length int) uint32 { return 1<<(length+1) - 2 }

func monthLength(mon int, leap bool) int {
	switch mon {
	case 2:
		if leap {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
