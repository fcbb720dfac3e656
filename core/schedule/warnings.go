package schedule

import (
	"strings"
	"time"
)

// Warning is something about a schedule that its author may not expect.
type Warning struct {
	Code    WarningCode
	Message string // one sentence for people
}

// WarningCode names a kind of warning.
type WarningCode string

// The warnings of [Spec.Warnings].
const (
	WarnDomDowOr    WarningCode = "DOM_DOW_OR"   // both day fields are restricted, either one is enough
	WarnDSTGap      WarningCode = "DST_GAP"      // within 400 days a time falls into a gap
	WarnDSTFold     WarningCode = "DST_FOLD"     // within 400 days a time occurs twice
	WarnTooFrequent WarningCode = "TOO_FREQUENT" // closer together than the minimum
	WarnNever       WarningCode = "NEVER"        // no occurrence after the given instant
)

// warnAhead is how far Warnings looks for changes of the clock: over a year, so
// that both halves of the year are seen.
const warnAhead = 400 * day

// Warnings gives what is worth knowing about the schedule as seen from the given
// instant. An empty result is good news.
func (s *Spec) Warnings(from time.Time) []Warning {
	if s.rule == nil {
		return nil
	}
	var found []Warning
	add := func(code WarningCode, message string) { found = append(found, Warning{code, message}) }
	if s.cron != nil && s.cron.either {
		add(WarnDomDowOr, "Both day fields are restricted, so it runs when either one matches; begin the day of week with + to ask for both.")
	}
	if s.cron != nil && s.cron.days != nil {
		found = append(found, s.clockWarnings(max(micros(from), s.first))...)
	}
	if e := s.tooFrequent(); e != nil {
		add(WarnTooFrequent, sentence(e.Reason))
	}
	if _, ok := s.Next(from); !ok {
		if s.Never() {
			add(WarnNever, sentence(s.neverError().Reason))
		} else {
			add(WarnNever, "There are no more occurrences.")
		}
	}
	return found
}

// clockWarnings looks for the first gap and the first fold that the rule falls
// into.
func (s *Spec) clockWarnings(from int64) []Warning {
	var m meter
	var found []Warning
	if s.cron.fields[hourField].star {
		return nil // meant for every hour there is
	}
	var gap, fold bool
	start := floorDiv(from, second)
	limit := min(start+warnAhead, floorDiv(s.last, second))
	for sp := spanAt(s.loc, start); sp.end < limit && m.step(); sp = spanAt(s.loc, sp.end) {
		jump := sp.jumpAfter(s.loc)
		edge := sp.end + sp.off
		low, high := min(edge, edge+jump), max(edge, edge+jump)
		w, ok := s.cron.nextWall(low, &m)
		if jump == 0 || !ok || w >= high {
			continue
		}
		switch {
		case jump > 0 && !gap:
			gap = true
			found = append(found, Warning{WarnDSTGap, s.gapMessage(w, high)})
		case jump < 0 && !fold:
			fold = true
			found = append(found, Warning{WarnDSTFold, s.foldMessage(w)})
		}
	}
	return found
}

func (s *Spec) gapMessage(wall, end int64) string {
	text := wallText(wall) + " does not exist in " + s.loc.String() + ", the clock is put forward; "
	switch {
	case s.cron.wildcard:
		return text + "a rule with * in its minutes does not run then."
	case s.dst.Gap == GapSkip:
		return text + "that occurrence is skipped."
	}
	return text + "it runs at " + wallText(end)[len("2006-01-02 "):] + " instead."
}

func (s *Spec) foldMessage(wall int64) string {
	text := wallText(wall) + " occurs twice in " + s.loc.String() + ", the clock is put back; "
	switch {
	case s.cron.wildcard:
		return text + "a rule with * in its minutes runs both times."
	case s.dst.Fold == FoldBoth:
		return text + "it runs both times."
	}
	return text + "it runs the " + string(s.dst.Fold) + " time."
}

func wallText(wall int64) string {
	t := time.Unix(wall, 0).UTC()
	if t.Second() != 0 {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

func sentence(reason string) string {
	return strings.ToUpper(reason[:1]) + reason[1:] + "."
}
