package schedule

import "time"

// Kind says what makes a task due.
type Kind string

// The kinds. Manual and dependency schedules have no occurrences.
const (
	KindOnce       Kind = "once"
	KindRecurring  Kind = "recurring"
	KindCron       Kind = "cron"
	KindManual     Kind = "manual"
	KindDependency Kind = "dependency"
)

// Outside says what happens to an occurrence outside every window.
type Outside string

// The policies for occurrences outside every window.
const (
	OutsideDefer Outside = "defer" // start when the next window opens; the default
	OutsideSkip  Outside = "skip"  // drop the occurrence
)

// Config is a schedule as it is written down. Fields that do not belong to the
// kind are ignored.
type Config struct {
	Kind Kind

	// RunAt is the instant of a once schedule. Required for it.
	RunAt time.Time
	// Interval is the distance of a recurring schedule, in elapsed real time: a
	// day of 23 hours does not shorten it. A whole number of milliseconds.
	Interval time.Duration
	// Cron is the expression of a cron schedule; see [ParseCron].
	Cron string
	// Timezone is the IANA name in which cron expressions and calendars are
	// read. Defaults to UTC.
	Timezone string

	// StartAt and EndAt bound the nominal times, both inclusive (as UNTIL in
	// RFC 5545 section 3.3.10 is). Zero means unbounded. StartAt is also the
	// anchor of intervals: occurrences are at StartAt + k × Interval, without
	// drift; a zero StartAt anchors at the Unix epoch.
	StartAt, EndAt time.Time

	// DST governs fixed-time cron rules in hours that daylight saving removes or
	// repeats.
	DST DST
	// Jitter delays each start by an amount in [0, Jitter) that depends only on
	// Seed and the nominal time.
	Jitter time.Duration
	// Windows are the times in which an execution may start; none means always.
	Windows []Window
	// Outside says what happens outside every window. Defaults to defer.
	Outside Outside
	// Calendars exclude dates.
	Calendars []Calendar
	// Seed is the identity of the task; H fields and jitter are hashed from it.
	Seed string
	// MinInterval is the shortest distance that [Spec.Problem] accepts.
	// Defaults to one second.
	MinInterval time.Duration
}

// Compile checks a configuration and makes it computable. Every error is an
// [*Error] that names the field. A schedule that parses and yet can never fire,
// or fires too often, compiles: ask [Spec.Problem] before a task may use it.
//
// Instants are cut to whole microseconds, the precision of the database.
func Compile(c Config) (*Spec, error) {
	s := &Spec{
		kind:    c.Kind,
		outside: c.Outside,
		minimum: c.MinInterval,
		seed:    hashSeed(c.Seed),
		first:   minMicros,
		last:    maxMicros,
	}
	if s.outside == "" {
		s.outside = OutsideDefer
	}
	if s.minimum == 0 {
		s.minimum = time.Second
	}
	steps := []func(*Spec, Config) *Error{
		compileZone, compileDST, compileBounds, compileRule,
		compileJitter, compileWindows, compileCalendars,
	}
	for _, step := range steps {
		if err := step(s, c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func compileZone(s *Spec, c Config) *Error {
	loc, err := loadZone("timezone", c.Timezone)
	s.loc = loc
	return err
}

func compileDST(s *Spec, c Config) *Error {
	dst, err := c.DST.resolve()
	s.dst = dst
	return err
}

func compileBounds(s *Spec, c Config) *Error {
	if !c.StartAt.IsZero() {
		if err := checkInstant("startAt", c.StartAt); err != nil {
			return err
		}
		s.first = micros(c.StartAt)
	}
	if c.EndAt.IsZero() {
		return nil
	}
	if err := checkInstant("endAt", c.EndAt); err != nil {
		return err
	}
	s.last = micros(c.EndAt)
	if s.last < s.first {
		return fail("endAt", c.EndAt.Format(time.RFC3339Nano), "it is before startAt", "swap the two, or leave endAt out")
	}
	return nil
}

func compileRule(s *Spec, c Config) *Error {
	switch c.Kind {
	case KindManual, KindDependency:
		return nil
	case KindOnce:
		return compileOnce(s, c)
	case KindRecurring:
		return compileInterval(s, c)
	case KindCron:
		return compileCron(s, c)
	}
	return fail("scheduleType", string(c.Kind), "it is not a kind of schedule",
		"use once, recurring, cron, manual or dependency")
}

func compileCron(s *Spec, c Config) *Error {
	cron, err := parseCron(c.Cron, c.Seed)
	if err != nil {
		return err
	}
	if cron.reboot {
		return rebootError(c.Cron)
	}
	s.cron = cron
	s.rule = cronRule{cron: cron, loc: s.loc, dst: s.dst}
	if cron.every > 0 {
		s.interval = cron.every
		s.rule = newInterval(anchor(c.StartAt), cron.every, s.loc)
	}
	return nil
}

func rebootError(expr string) *Error {
	return fail("cronExpression", expr,
		"@reboot asks for an event, and there is no start-up event here", "use a manual task, or a time")
}

func compileJitter(s *Spec, c Config) *Error {
	if c.Jitter < 0 {
		return fail("jitterMs", c.Jitter.String(), "it is negative", "use 0 for no jitter")
	}
	s.jitter = c.Jitter.Microseconds()
	return nil
}

// checkInstant refuses instants outside the supported years.
func checkInstant(field string, t time.Time) *Error {
	if y := t.UTC().Year(); y < minYear || y > maxYear {
		return fail(field, t.Format(time.RFC3339Nano), "its year is out of 1970–2199", "")
	}
	return nil
}
