package host

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Rate bounds how many runs of a type start in a period, on all nodes together.
// The zero value is no bound.
type Rate struct {
	Limit int
	Per   time.Duration
}

const maxRate = 1_000_000

// String renders the rate as plugins.yaml has it: 30/1m0s.
func (r Rate) String() string { return fmt.Sprintf("%d/%s", r.Limit, r.Per) }

// parseRate reads a rate such as 30/1m or 5/s.
func parseRate(text string) (Rate, error) {
	count, period, ok := strings.Cut(text, "/")
	if ok && period != "" && (period[0] < '0' || period[0] > '9') {
		period = "1" + period
	}
	limit, err := strconv.Atoi(count)
	per, perErr := time.ParseDuration(period)
	if !ok || err != nil || perErr != nil || limit < 1 || limit > maxRate || per < time.Millisecond || per > maxTimeout {
		return Rate{}, fmt.Errorf("not a number of starts and a period up to %v, for example 30/1m", maxTimeout)
	}
	return Rate{Limit: limit, Per: per}, nil
}

// Rate is the rate limit of a task type by its limits in plugins.yaml; nil for
// one that has none or is not loaded.
func (h *Host) Rate(taskType string) *core.RateLimit {
	s := h.slotOf(taskType)
	if !s.works() || s.entry.limits.Rate.Limit == 0 {
		return nil
	}
	r := s.entry.limits.Rate
	return &core.RateLimit{Limit: r.Limit, PerMs: core.MillisOf(r.Per)}
}
