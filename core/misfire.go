package core

import (
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// MisfirePolicy says what happens to occurrences that came due while nobody
// planned them (the service was down, the clock jumped, the task was paused).
type MisfirePolicy string

// The misfire policies.
const (
	MisfireLatest MisfirePolicy = "latest" // the latest one runs, the others are missed; the default
	MisfireAll    MisfirePolicy = "all"    // all run, oldest first
	MisfireSkip   MisfirePolicy = "skip"   // none runs
)

// Misfire is a misfire policy with its catch-up window.
type Misfire struct {
	Policy   MisfirePolicy `json:"policy"`
	WindowMs Millis        `json:"windowMs"` // an occurrence later than this is missed whatever the policy
}

// misfireGrace is how late an occurrence may be planned and still count as on
// time under MisfireSkip: ordinary delays are not misfires.
const misfireGrace = 5 * time.Second

// Split divides overdue occurrences, oldest first, into those to run and those
// that are missed. It keeps the order.
func (m Misfire) Split(now time.Time, overdue []schedule.Occurrence) (run, missed []schedule.Occurrence) {
	window := m.WindowMs.Duration()
	if m.Policy == MisfireSkip {
		window = min(window, misfireGrace)
	}
	cut := 0
	for cut < len(overdue) && now.Sub(overdue[cut].At) > max(window, misfireGrace) {
		cut++
	}
	if m.Policy == MisfireLatest && len(overdue)-cut > 1 {
		cut = len(overdue) - 1
	}
	return overdue[cut:], overdue[:cut]
}

func (m Misfire) check(out *problems) {
	oneOf(out, "/misfire/policy", m.Policy, MisfireLatest, MisfireAll, MisfireSkip)
	out.duration("/misfire/windowMs", m.WindowMs)
}
