package api

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// backfillRequest is what POST /tasks/:id/backfill takes.
type backfillRequest struct {
	From      *time.Time         `json:"from"`
	To        *time.Time         `json:"to"`
	DryRun    bool               `json:"dryRun"`
	Overlap   core.OverlapPolicy `json:"overlap"`
	PerMinute int                `json:"perMinute"`
}

type backfillAnswer struct {
	DryRun      bool                 `json:"dryRun"`
	Planned     int                  `json:"planned"` // executions that are, or in a dry run would be, planned
	Occurrences []backfillOccurrence `json:"occurrences"`
}

type backfillOccurrence struct {
	NominalTime time.Time `json:"nominalTime"`
	ExecutionID *string   `json:"executionId"`
	Skipped     *string   `json:"skipped"` // why not
}

func (s *Server) backfillTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	var in backfillRequest
	if err := decode(c, &in); err != nil {
		return err
	}
	var missing []core.FieldProblem
	for field, t := range map[string]*time.Time{"/from": in.From, "/to": in.To} {
		if t == nil {
			missing = append(missing, core.FieldProblem{Field: field, Problem: "is required"})
		}
	}
	if err := core.Invalid(core.CodeValidationFailed, missing); err != nil {
		return err
	}
	key, err := idempotency(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	report, err := s.scheduler.Backfill(ctx, id, core.BackfillRequest{
		From: *in.From, To: *in.To, DryRun: in.DryRun, Overlap: in.Overlap, PerMinute: in.PerMinute,
	}, key)
	if err := replayed(c, err); err != nil {
		return err
	}
	answer := backfilled(report, in.DryRun)
	if in.DryRun {
		return s.render(c, http.StatusOK, answer)
	}
	s.changed(c, "backfill planned", "task_id", id, "executions", answer.Planned)
	return s.render(c, http.StatusAccepted, answer)
}

func backfilled(r core.BackfillReport, dryRun bool) backfillAnswer {
	a := backfillAnswer{DryRun: dryRun, Occurrences: make([]backfillOccurrence, len(r.Occurrences))}
	for i, o := range r.Occurrences {
		a.Occurrences[i].NominalTime = o.Nominal
		if o.Skipped != "" {
			a.Occurrences[i].Skipped = &r.Occurrences[i].Skipped
			continue
		}
		a.Planned++
		if o.ExecutionID != "" {
			a.Occurrences[i].ExecutionID = &r.Occurrences[i].ExecutionID
		}
	}
	return a
}
