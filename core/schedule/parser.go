package schedule

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Parser implements [cron.ScheduleParser] of robfig/cron with the dialect of
// [ParseCron], for cron.WithParser. The zero value is ready.
type Parser struct {
	// Location is the zone of the schedules it makes. Defaults to the zone of the
	// instant that Next is given, which in a cron.Cron is that runner's zone.
	Location *time.Location
	// Seed decides H fields.
	Seed string
}

// Parse reads an expression. The schedule follows the default [DST] policy. It
// refuses "@reboot", which robfig/cron has no event for.
func (p Parser) Parse(spec string) (cron.Schedule, error) {
	c, err := parseCron(spec, p.Seed)
	if err != nil {
		return nil, err
	}
	if c.reboot {
		return nil, rebootError(spec)
	}
	c.loc = p.Location
	return c, nil
}

var _ cron.ScheduleParser = Parser{}
