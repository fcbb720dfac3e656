package core

import (
	"bytes"
	"encoding/json"
	"regexp"
	"time"
)

// TaskSpec is what a user says about a task. Only Name and Type are required.
type TaskSpec struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type"`
	Timing
	ScheduleID *string `json:"scheduleId"` // take the timing from this shared schedule
	Policy
	DependsOn []string          `json:"dependsOn"` // ids of the tasks that must have done their part first
	Data      json.RawMessage   `json:"data"`
	Labels    map[string]string `json:"labels"`
	Enabled   bool              `json:"enabled"`
}

// Task is a stored task. Its zero value is not useful; NewTask makes one.
type Task struct {
	ID string `json:"id"`
	TaskSpec
	NextRun *time.Time `json:"nextRun"` // when the next occurrence is due; null when there is none
	LastRun *time.Time `json:"lastRun"` // when a worker last took an execution, also one that it gave back because its hours had closed or it shut down
	// PauseReason says why the task is paused; null when it is not. A paused
	// task plans nothing; what came due meanwhile is a misfire when it resumes.
	PauseReason *string   `json:"pauseReason"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
	Version     int64     `json:"version"` // grows with every change by a user

	Plan  PlanState `json:"-"`
	Basis *Basis    `json:"-"` // only on the way to the store
}

// PlanState is the planner's memory of a task.
type PlanState struct {
	NextNominal *time.Time // nominal time of the occurrence that NextRun starts
	LastNominal *time.Time // the latest nominal time that was planned, missed or skipped
	Runs        int        // executions planned so far, compared with MaxRuns
	Failures    int        // executions that failed in a row
	// Since is what dependencies must be later than: the occurrence that was
	// planned last. The task's creation when none was.
	Since *time.Time
}

// The bounds of a task's fields.
const (
	MaxNameLength        = 255
	MaxTypeLength        = 50
	MaxDescriptionLength = 2000
	MaxDataBytes         = 64 << 10
	maxLabels            = 32
	maxWindows           = 32
	maxCalendars         = 16
)

var (
	typeName  = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`)
	labelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./-]*$`)
)

// Validate checks everything that can be told without the store, the catalogue
// and the schedule arithmetic. It fails with VALIDATION_FAILED and names every
// wrong field.
func (s TaskSpec) Validate() error {
	var p problems
	p.text("/name", s.Name, 1, MaxNameLength)
	p.text("/description", s.Description, 0, MaxDescriptionLength)
	p.text("/type", s.Type, 1, MaxTypeLength)
	if s.Type != "" && !typeName.MatchString(s.Type) {
		p.add("/type", "%q is no task type: lower-case letters, digits and _ . - after a letter", s.Type)
	}
	s.Policy.check(&p)
	s.checkData(&p)
	s.checkLabels(&p)
	if len(s.ExecutionWindows) > maxWindows {
		p.add("/executionWindows", "%d windows, at most %d are allowed", len(s.ExecutionWindows), maxWindows)
	}
	if len(s.Calendars) > maxCalendars {
		p.add("/calendars", "%d calendars, at most %d are allowed", len(s.Calendars), maxCalendars)
	}
	s.checkDependencies(&p)
	if s.ScheduleID != nil {
		if _, ok := ParseID(*s.ScheduleID); !ok {
			p.add("/scheduleId", "is not a UUID")
		}
	}
	return Invalid(CodeValidationFailed, p)
}

func (s TaskSpec) checkData(p *problems) {
	switch {
	case len(s.Data) > MaxDataBytes:
		p.add("/data", "%d bytes, at most %d are allowed", len(s.Data), MaxDataBytes)
	case len(s.Data) == 0 || s.Data[0] != '{':
		p.add("/data", "is not a JSON object")
	case hasNUL(s.Data):
		p.add("/data", "has the character U+0000 (\\u0000) in a name or a value, which cannot be stored; leave it out")
	}
}

// hasNUL reports whether a string in a JSON text holds U+0000, which Postgres
// cannot. It is only ever written as an escape there.
func hasNUL(text []byte) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++ // the escaped character; after \\ that is no escape's beginning
		if text[i] == 'u' && bytes.HasPrefix(text[i+1:], []byte("0000")) {
			return true
		}
	}
	return false
}

func (s TaskSpec) checkLabels(p *problems) {
	if len(s.Labels) > maxLabels {
		p.add("/labels", "%d labels, at most %d are allowed", len(s.Labels), maxLabels)
		return
	}
	for name, value := range s.Labels {
		if !ValidLabelName(name) {
			p.add("/labels", "%.80q is no label name: up to 63 letters, digits and _ . / -", name)
		}
		p.text("/labels/"+name, value, 0, 255)
	}
}

// ValidLabelName reports whether a label may have this name.
func ValidLabelName(name string) bool { return len(name) <= 63 && labelName.MatchString(name) }

// NewTask makes a stored task out of a valid spec.
func NewTask(spec TaskSpec, now time.Time) Task {
	now = Instant(now)
	return Task{ID: NewID(), TaskSpec: spec.normalized(), CreatedAt: now, UpdatedAt: now, Version: 1}
}

func (s TaskSpec) normalized() TaskSpec {
	s.Timing = s.Timing.normalized()
	if s.DependsOn == nil {
		s.DependsOn = []string{}
	}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	return s
}

// Anchored returns the spec with the start of an interval fixed: an interval
// that names no startAt counts from the task's creation.
func (s TaskSpec) Anchored(created time.Time) TaskSpec {
	if s.ScheduleType == ScheduleRecurring && s.StartAt == nil {
		s.StartAt = utc(&created)
	}
	return s
}
