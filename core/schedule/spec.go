// Package schedule is the arithmetic of time: it turns a rule (once, every so
// often, cron) into the instants at which a task is due, in any time zone, with
// a stated answer for every hour that daylight saving removes or repeats.
//
// Everything here is a pure function of its arguments. Nothing reads a clock,
// the environment or a file, except that zones come from the time package,
// whose database is linked into the binary.
//
// # From rule to start
//
// A rule asks for nominal times. Each passes these stages, in this order:
//
//  1. StartAt and EndAt bound the nominal time, both inclusive.
//  2. Calendars drop the nominal times of excluded dates, or move them to the
//     nearest date that no calendar excludes (see [Calendar]).
//  3. Windows drop or defer what falls outside all of them (see [Window]).
//  4. Occurrences that reach the same instant after 2 and 3 are one; the latest
//     nominal time among them names it.
//  5. Jitter delays the start, never out of the window and never up to the next
//     occurrence.
//
// # Daylight saving
//
// A cron rule whose minute and hour fields both do not begin with "*" is a
// fixed-time rule; all others are wildcard rules. That is how Vixie cron and
// Debian's cron(8) tell them apart. A wildcard rule follows real time: it is due
// at every instant whose local time matches. A fixed-time rule obeys [DST].
//
// # Range
//
// Years 1970 to 2199, the range of the Open Cron Pattern Specification 1.2.
// Outside it nothing ever occurs, so every search ends.
package schedule

import "time"

// Spec is a compiled schedule. It is immutable and safe for concurrent use.
// Make one with [Compile].
type Spec struct {
	kind     Kind
	rule     rule  // nil for manual and dependency
	cron     *Cron // set for kind cron
	interval time.Duration
	minimum  time.Duration

	loc         *time.Location
	dst         DST
	first, last int64 // bounds of nominal times, inclusive, unix microseconds

	calendar *calendar
	windows  *windows
	outside  Outside
	jitter   int64 // microseconds
	seed     uint64
}

// Occurrence is one start that a schedule asks for.
type Occurrence struct {
	// Nominal is the instant the rule asked for, in UTC. It identifies the
	// occurrence: a schedule never yields the same Nominal twice.
	Nominal time.Time
	// At is when the occurrence may start, in UTC: Nominal after calendars,
	// windows and jitter. A calendar that moves back makes it earlier than
	// Nominal.
	At time.Time
	// Notes say what made At differ from the plain rule, or what was ambiguous.
	Notes []Note
}

// Note explains an [Occurrence].
type Note string

// The notes, in the order in which they are given.
const (
	// NoteDSTGap: the local time asked for does not exist on that day; the
	// occurrence is at the first instant after the gap.
	NoteDSTGap Note = "DST_GAP"
	// NoteDSTFold: the local time occurs twice on that day.
	NoteDSTFold Note = "DST_FOLD"
	// NoteMovedByCalendar: the date was excluded, the occurrence moved.
	NoteMovedByCalendar Note = "MOVED_BY_CALENDAR"
	// NoteDeferredByWindow: the start waits until a window opens.
	NoteDeferredByWindow Note = "DEFERRED_BY_WINDOW"
	// NoteJittered: the start is delayed by the jitter.
	NoteJittered Note = "JITTERED"
)

// Next returns the occurrence with the smallest nominal time after the given
// instant that is neither skipped nor merged into a later one. It reports false
// when there will never be another.
//
// The work is bounded by [MaxSteps] for every spec and instant.
func (s *Spec) Next(after time.Time) (Occurrence, bool) {
	var m meter
	return s.next(micros(after), &m)
}

// Prev returns the occurrence with the largest nominal time before the given
// instant, and reports false when there is none. It is the inverse of Next: it
// never yields an occurrence that Next would not.
func (s *Spec) Prev(before time.Time) (Occurrence, bool) {
	var m meter
	return s.prev(microsUp(before), &m)
}

// Between returns the occurrences with from < Nominal <= to, in order, as
// repeated calls of Next would. It stops after limit; a limit of zero or less
// gives none.
func (s *Spec) Between(from, to time.Time, limit int) []Occurrence {
	var found []Occurrence
	cursor, end := micros(from), micros(to)
	for len(found) < limit {
		var m meter
		o, ok := s.next(cursor, &m)
		cursor = micros(o.Nominal)
		if !ok || cursor > end {
			break
		}
		found = append(found, o)
	}
	return found
}

// Location returns the zone of the schedule; never nil.
func (s *Spec) Location() *time.Location { return s.loc }

// Never reports that the schedule can never fire at all, within its own bounds
// and the supported years: 30 February, for example, or a window that no
// occurrence ever falls into. Manual and dependency schedules are not governed
// by time, so it is false for them. A schedule whose occurrences are merely
// over is not "never".
func (s *Spec) Never() bool {
	if s.rule == nil {
		return false
	}
	var m meter
	_, ok := s.live(s.first-1, s.last, &m)
	return !ok || m.exhausted()
}

// InWindow reports whether an execution may start at t: inside a window, when
// there are windows, and on a date that no calendar excludes. When it may not,
// nextOpen is the first instant at which it may, or the zero time if that never
// comes. When it may, nextOpen is t itself.
func (s *Spec) InWindow(t time.Time) (open bool, nextOpen time.Time) {
	var m meter
	at := micros(t)
	next, ok := s.nextOpen(at, &m)
	if !ok {
		return false, time.Time{}
	}
	if next == at {
		return true, t
	}
	return false, instant(next)
}

// next finds the live occurrence after the given microsecond and adds jitter.
func (s *Spec) next(after int64, m *meter) (Occurrence, bool) {
	p, ok := s.live(after, s.last, m)
	if !ok || m.exhausted() {
		return Occurrence{}, false
	}
	return s.finish(p, m), true
}

// prev finds the live occurrence before the given microsecond.
func (s *Spec) prev(before int64, m *meter) (Occurrence, bool) {
	if s.rule == nil {
		return Occurrence{}, false
	}
	p, ok := s.liveBefore(before, m)
	if !ok || m.exhausted() {
		return Occurrence{}, false
	}
	return s.finish(p, m), true
}

// finish turns a placed occurrence into the exported form.
func (s *Spec) finish(p placed, m *meter) Occurrence {
	at := p.at + s.delay(p, m)
	return Occurrence{Nominal: instant(p.nominal), At: instant(at), Notes: p.notes(at)}
}
