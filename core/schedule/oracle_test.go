package schedule_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core/schedule"
)

// The oracle knows no arithmetic. It walks real time in steps of a second or a
// minute, asks the time package what the clock on the wall shows, and applies
// the rule to that. It shares no code with the package: the rules are made here
// as predicates, next to their text.

// oracleRule is a cron rule as predicates.
type oracleRule struct {
	expr        string
	seconds     [60]bool
	minutes     [60]bool
	hours       [24]bool
	date        func(t time.Time) bool
	everyMinute bool // no second but 0 matches
	wildcard    bool
	dst         schedule.DST
}

func (r *oracleRule) matches(wall int64) bool {
	t := time.Unix(wall, 0).UTC()
	return r.seconds[t.Second()] && r.minutes[t.Minute()] && r.hours[t.Hour()] && r.date(t)
}

func (r *oracleRule) String() string {
	return fmt.Sprintf("%q gap=%s fold=%s", r.expr, r.dst.Gap, r.dst.Fold)
}

// genRule draws a rule that is likely to fire around a change of the clock.
func genRule(c change) func(*rapid.T) *oracleRule {
	_, off := time.Unix(c.at-1, 0).In(c.zone).Zone()
	near := time.Unix(c.at+int64(off), 0).UTC() // what the clock would show without the change
	return func(t *rapid.T) *oracleRule {
		r := &oracleRule{dst: schedule.DST{
			Gap:  rapid.SampledFrom([]schedule.Gap{"", schedule.GapShift, schedule.GapSkip}).Draw(t, "gap"),
			Fold: rapid.SampledFrom([]schedule.Fold{"", schedule.FoldFirst, schedule.FoldLast, schedule.FoldBoth}).Draw(t, "fold"),
		}}
		fields := []string{}
		if rapid.IntRange(0, 4).Draw(t, "with seconds") == 0 {
			text := genSet(t, "second", r.seconds[:], 0, 59, []int{0, 1, 30, 59})
			fields = append(fields, text)
		} else {
			r.seconds[0], r.everyMinute = true, true
		}
		minute := genSet(t, "minute", r.minutes[:], 0, 59, []int{0, 1, 15, 30, 45, 59})
		h := near.Hour()
		hour := genSet(t, "hour", r.hours[:], 0, 23, []int{h, (h + 1) % 24, (h + 23) % 24, (h + 22) % 24, 0, 23})
		r.wildcard = strings.HasPrefix(minute, "*") || strings.HasPrefix(hour, "*")
		dom, month, dow := genDates(t, r, near)
		fields = append(fields, minute, hour, dom, month, dow)
		r.expr = strings.Join(fields, " ")
		return r
	}
}

// genSet draws a numeric field and marks what it matches.
func genSet(t *rapid.T, name string, set []bool, low, high int, likely []int) string {
	mark := func(from, to, step int) {
		for n := from; n <= to; n += step {
			set[n] = true
		}
	}
	switch rapid.IntRange(0, 7).Draw(t, name+" form") {
	case 0:
		mark(low, high, 1)
		return "*"
	case 1:
		step := rapid.IntRange(1, max(high/2, 2)).Draw(t, name+" step")
		mark(low, high, step)
		return fmt.Sprintf("*/%d", step)
	case 2:
		from := rapid.IntRange(low, high).Draw(t, name+" from")
		to := rapid.IntRange(from, high).Draw(t, name+" to")
		mark(from, to, 1)
		return fmt.Sprintf("%d-%d", from, to)
	case 3:
		step := rapid.IntRange(1, max(high/2, 2)).Draw(t, name+" step")
		mark(low, high, step)
		return fmt.Sprintf("%d-%d/%d", low, high, step)
	case 4:
		a, b := rapid.IntRange(low, high).Draw(t, name+" a"), rapid.SampledFrom(likely).Draw(t, name+" b")
		set[a], set[b] = true, true
		return fmt.Sprintf("%d,%d", a, b)
	default:
		n := rapid.SampledFrom(likely).Draw(t, name)
		set[n] = true
		return fmt.Sprint(n)
	}
}

// genDates draws the three date fields and builds their predicate.
func genDates(t *rapid.T, r *oracleRule, near time.Time) (dom, month, dow string) {
	domText, byDom := genDom(t, near)
	dowText, byDow := genDow(t, near)
	month = "*"
	inMonth := func(time.Time) bool { return true }
	if rapid.IntRange(0, 3).Draw(t, "month form") == 0 {
		m := near.Month()
		month = fmt.Sprint(int(m))
		inMonth = func(d time.Time) bool { return d.Month() == m }
	}
	or := !strings.HasPrefix(domText, "*") && domText != "?" && !strings.HasPrefix(dowText, "*") && dowText != "?"
	if or && rapid.Bool().Draw(t, "and") {
		dowText, or = "+"+dowText, false
	}
	r.date = func(d time.Time) bool {
		if or {
			return inMonth(d) && (byDom(d) || byDow(d))
		}
		return inMonth(d) && byDom(d) && byDow(d)
	}
	return domText, month, dowText
}

func genDom(t *rapid.T, near time.Time) (string, func(time.Time) bool) {
	lastOf := func(d time.Time) int { return d.AddDate(0, 1, 1-d.Day()).AddDate(0, 0, -1).Day() }
	workday := func(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }
	n := near.AddDate(0, 0, rapid.IntRange(-1, 1).Draw(t, "day shift")).Day()
	switch rapid.IntRange(0, 9).Draw(t, "dom form") {
	case 0:
		return "L", func(d time.Time) bool { return d.Day() == lastOf(d) }
	case 1: // the last workday: a workday with only weekend days after it in the month
		return "LW", func(d time.Time) bool {
			for e := d.AddDate(0, 0, 1); e.Month() == d.Month(); e = e.AddDate(0, 0, 1) {
				if workday(e) {
					return false
				}
			}
			return workday(d)
		}
	case 2: // the workday nearest to n, looking one and two days either way in the month
		return fmt.Sprintf("%dW", n), func(d time.Time) bool {
			if n > lastOf(d) {
				return false
			}
			target := d.AddDate(0, 0, n-d.Day())
			for _, shift := range []int{0, -1, 1, -2, 2} {
				if e := target.AddDate(0, 0, shift); e.Month() == d.Month() && workday(e) {
					return e.Day() == d.Day()
				}
			}
			return false
		}
	case 3:
		return fmt.Sprint(n), func(d time.Time) bool { return d.Day() == n }
	case 4:
		return fmt.Sprintf("1-%d", n), func(d time.Time) bool { return d.Day() <= n }
	case 5:
		return "*/2", func(d time.Time) bool { return d.Day()%2 == 1 }
	case 6:
		return "?", func(time.Time) bool { return true }
	}
	return "*", func(time.Time) bool { return true }
}

func genDow(t *rapid.T, near time.Time) (string, func(time.Time) bool) {
	w := near.AddDate(0, 0, rapid.IntRange(-1, 1).Draw(t, "weekday shift")).Weekday()
	name := strings.ToUpper(w.String()[:3])
	nth := (near.Day() + 6) / 7
	switch rapid.IntRange(0, 8).Draw(t, "dow form") {
	case 0:
		return name, func(d time.Time) bool { return d.Weekday() == w }
	case 1:
		number := int(w)
		if w == time.Sunday {
			number = 7
		}
		return fmt.Sprintf("%d", number), func(d time.Time) bool { return d.Weekday() == w }
	case 2:
		return fmt.Sprintf("%s#%d", name, nth), func(d time.Time) bool { return d.Weekday() == w && (d.Day()+6)/7 == nth }
	case 3:
		return name + "#L", func(d time.Time) bool { return d.Weekday() == w && d.AddDate(0, 0, 7).Month() != d.Month() }
	case 4:
		return "MON-FRI", func(d time.Time) bool { return d.Weekday() >= time.Monday && d.Weekday() <= time.Friday }
	}
	return "*", func(time.Time) bool { return true }
}

// expected walks real time and gives the instants in (from, to] at which the
// rule is due, in seconds, in order.
func expected(r *oracleRule, loc *time.Location, from, to, margin int64) []int64 {
	step := int64(1)
	if r.everyMinute {
		step = 60
	}
	var due []int64
	shown := map[int64][]int64{} // wall-clock time to the instants that show it
	var reals, walls []int64
	for t := from - margin; t <= to+margin; t += step {
		_, off := time.Unix(t, 0).In(loc).Zone()
		wall := t + int64(off)
		if r.wildcard {
			if t > from && t <= to && r.matches(wall) {
				due = append(due, t)
			}
			continue
		}
		reals, walls = append(reals, t), append(walls, wall)
		shown[wall] = append(shown[wall], t)
	}
	if r.wildcard {
		return due
	}
	asked := map[int64]bool{}
	for wall := walls[0]; wall <= walls[len(walls)-1]; wall += step {
		if !r.matches(wall) {
			continue
		}
		for _, t := range resolve(r, shown[wall], wall, reals, walls) {
			asked[t] = true
		}
	}
	for _, t := range reals {
		if asked[t] && t > from && t <= to {
			due = append(due, t)
		}
	}
	return due
}

// resolve says at which instants a wall-clock time is due, given the instants at
// which the clock shows it.
func resolve(r *oracleRule, instants []int64, wall int64, reals, walls []int64) []int64 {
	switch {
	case len(instants) == 0 && r.dst.Gap == schedule.GapSkip:
		return nil
	case len(instants) == 0: // the first instant at which the clock shows more
		for i, w := range walls {
			if w > wall {
				return reals[i : i+1]
			}
		}
		return nil
	case len(instants) == 1 || r.dst.Fold == schedule.FoldBoth:
		return instants
	case r.dst.Fold == schedule.FoldLast:
		return instants[len(instants)-1:]
	}
	return instants[:1]
}

// compare holds Next, Between and Prev of a spec against the oracle around a
// change of the clock and returns how many occurrences it saw.
func compare(c change, r *oracleRule, around int64) (int, error) {
	s, err := schedule.Compile(schedule.Config{Kind: schedule.KindCron, Cron: r.expr, Timezone: c.zone.String(), DST: r.dst})
	if err != nil {
		return 0, err
	}
	if !r.everyMinute {
		around = 2*3600 + max(c.jump, -c.jump)
	}
	from, to := (c.at-around)/60*60, (c.at+around)/60*60
	margin := max(c.jump, -c.jump)*2 + 3600
	want := expected(r, c.zone, from, to, margin)

	got := []int64{}
	for _, o := range s.Between(time.Unix(from, 0), time.Unix(to, 0), 1<<20) {
		got = append(got, o.Nominal.Unix())
	}
	if err := same("Between", want, got); err != nil {
		return 0, err
	}
	got = got[:0]
	for o, ok := s.Prev(time.Unix(to+1, 0)); ok && o.Nominal.Unix() > from; o, ok = s.Prev(o.Nominal) {
		got = append(got, o.Nominal.Unix())
	}
	for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
		got[i], got[j] = got[j], got[i]
	}
	return len(want), same("Prev", want, got)
}

func same(what string, want, got []int64) error {
	text := func(list []int64, i int) string {
		if i >= len(list) {
			return "nothing"
		}
		return time.Unix(list[i], 0).UTC().Format(time.RFC3339)
	}
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			return fmt.Errorf("%s: occurrence %d of %d is %s, the oracle says %s of %d", what, i, len(got), text(got, i), text(want, i), len(want))
		}
	}
	return nil
}

// TestOracleEveryZone compares the package with the oracle around every change
// of the clock from 2000 to 2040 in every zone, with rules drawn for each.
// SCHEDULE_ORACLE=full takes every name of every zone and many rules for each
// change; the usual run takes each distinct clock once.
func TestOracleEveryZone(t *testing.T) {
	t.Parallel()
	set := everyZone()
	changes, rules := set.distinct, 1
	if os.Getenv("SCHEDULE_ORACLE") == "full" {
		changes, rules = set.all, 25
	}
	if os.Getenv("SCHEDULE_ORACLE") != "full" {
		changes = everyNth(changes, 3)
	}
	const workers = 2
	var specs, occurrences, different atomic.Int64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < len(changes); i += workers {
				gen := rapid.Custom(genRule(changes[i]))
				for n := range rules {
					seed := i*rules + n
					r := gen.Example(seed)
					around := int64(4 * 3600)
					if seed%16 == 0 {
						around = 3 * 86400
					}
					count, err := compare(changes[i], r, around)
					specs.Add(1)
					occurrences.Add(int64(count))
					if err != nil && different.Add(1) < 20 {
						t.Errorf("%v, rule %v, seed %d: %v", changes[i], r, seed, err)
					}
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d zones (%d distinct clocks), %d changes of the clock, %d rules, %d occurrences, %d differences",
		set.zones, set.clocks, len(changes), specs.Load(), occurrences.Load(), different.Load())
	require.Zero(t, different.Load())
}

func everyNth(changes []change, n int) []change {
	var some []change
	for i := 0; i < len(changes); i += n {
		some = append(some, changes[i])
	}
	return some
}

// TestOracleShrinks draws zone, change and rule together, so that a difference is
// reduced to its smallest form.
func TestOracleShrinks(t *testing.T) {
	t.Parallel()
	set := everyZone()
	rapid.Check(t, func(rt *rapid.T) {
		c := set.distinct[rapid.IntRange(0, len(set.distinct)-1).Draw(rt, "change")]
		r := genRule(c)(rt)
		if _, err := compare(c, r, 5*3600); err != nil {
			rt.Fatalf("%v, rule %v: %v", c, r, err)
		}
	})
}
