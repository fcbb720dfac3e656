package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

const defaultPreview = 10

// previewRequest is what POST /schedules/preview takes: a timing, from when on,
// how many, and the task whose H fields and jitter are meant.
type previewRequest struct {
	core.Timing
	From   *time.Time `json:"from"`
	Count  *int       `json:"count"`
	TaskID string     `json:"taskId"`
}

// previewAnswer is what a timing will do.
type previewAnswer struct {
	Occurrences []occurrence `json:"occurrences"`
	Description string       `json:"description"`
	Warnings    []warning    `json:"warnings"`
}

// occurrence is one start.
type occurrence struct {
	At      time.Time       `json:"at"`      // when it may start, in UTC
	Local   string          `json:"local"`   // the same in the schedule's zone, with its offset
	Nominal time.Time       `json:"nominal"` // the instant the schedule asks for; differs from at when something moved it
	Notes   []schedule.Note `json:"notes"`
}

type warning struct {
	Code    schedule.WarningCode `json:"code"`
	Message string               `json:"message"`
}

func (s *Server) previewSchedule(c *fiber.Ctx) error {
	var in previewRequest
	if err := decode(c, &in); err != nil {
		return err
	}
	from := s.clock.Now()
	if in.From != nil {
		from = *in.From
	}
	count := defaultPreview
	if in.Count != nil {
		count = *in.Count
	}
	if count < 1 || count > core.MaxPreview {
		return core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{Field: "/count", Problem: previewBounds}})
	}
	ctx, done := s.context()
	defer done()
	p, err := s.scheduler.Preview(ctx, in.Timing, in.TaskID, from, count)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, previewOf(p))
}

var previewBounds = "is out of 1–" + strconv.Itoa(core.MaxPreview)

func (s *Server) listUpcoming(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	count := defaultPreview
	if raw := c.Query("count"); raw != "" {
		if count, err = strconv.Atoi(raw); err != nil || count < 1 || count > core.MaxPreview {
			return core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{Field: "?count", Problem: previewBounds}})
		}
	}
	ctx, done := s.context()
	defer done()
	p, err := s.scheduler.Upcoming(ctx, id, count)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, previewOf(p))
}

func previewOf(p core.Preview) previewAnswer {
	a := previewAnswer{Occurrences: []occurrence{}, Description: p.Description, Warnings: []warning{}}
	for _, o := range p.Occurrences {
		notes := slices.Clone(o.Notes)
		if notes == nil {
			notes = []schedule.Note{}
		}
		a.Occurrences = append(a.Occurrences, occurrence{
			At: o.At.UTC(), Local: o.At.In(p.Location).Format(time.RFC3339Nano), Nominal: o.Nominal.UTC(), Notes: notes,
		})
	}
	for _, w := range p.Warnings {
		a.Warnings = append(a.Warnings, warning{w.Code, w.Message})
	}
	return a
}
