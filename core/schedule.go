package core

import "time"

// ScheduleSpec is what a user says about a shared schedule.
type ScheduleSpec struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Timing
}

// Schedule is a timing that many tasks share. Changing it re-times them all.
type Schedule struct {
	ID string `json:"id"`
	ScheduleSpec
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	Version   int64     `json:"version"`
}

// Validate checks what can be told without the schedule arithmetic. It fails
// with VALIDATION_FAILED and names every wrong field.
func (s ScheduleSpec) Validate() error {
	var p problems
	p.text("/name", s.Name, 1, MaxNameLength)
	p.text("/description", s.Description, 0, MaxDescriptionLength)
	if s.ScheduleType == ScheduleManual || s.ScheduleType == ScheduleDependency {
		p.add("/scheduleType", "a shared schedule is once, recurring or cron")
	}
	return Invalid(CodeValidationFailed, p)
}

// NewSchedule makes a stored schedule out of a valid spec.
func NewSchedule(spec ScheduleSpec, now time.Time) Schedule {
	now = Instant(now)
	spec.Timing = spec.Timing.normalized()
	return Schedule{ID: NewID(), ScheduleSpec: spec, CreatedAt: now, UpdatedAt: now, Version: 1}
}
