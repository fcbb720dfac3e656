package template

import (
	"fmt"
	"time"
	_ "time/tzdata" // a plugin has no files to read zones from
)

// Moment is a time in its zone. Templates have the methods of time.Time, such as
// .Unix and .Weekday, besides the functions format and in.
type Moment struct{ time.Time }

// String is how a time looks that is not formatted.
func (m Moment) String() string { return m.Format("2006-01-02 15:04 MST") }

// format shows a time in a layout of Go: how 15:04:05 on Monday, the 2nd of
// January 2006, would look.
func format(m Moment, layout string) string { return m.Format(layout) }

// in moves a time to another zone.
func in(m Moment, zone string) (Moment, error) {
	z, err := load(zone)
	return Moment{m.In(z)}, err
}

// load finds a zone; "" is UTC. The machine's own is none: tasks mean the same
// on every machine.
func load(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	z, err := time.LoadLocation(zone)
	if err == nil && zone != "Local" {
		return z, nil
	}
	return time.UTC, fmt.Errorf("unknown time zone %q; write an IANA name such as Europe/Berlin", zone)
}
