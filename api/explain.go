package api

import (
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// explanation is the answer to "why is it waiting?".
type explanation struct {
	Waiting    bool                 `json:"waiting"` // for the next occurrence: some gate is closed
	Gates      []gateAnswer         `json:"gates"`   // of the next occurrence
	Executions []explainedExecution `json:"executions"`
}

type explainedExecution struct {
	ID      string       `json:"id"`
	Status  core.Status  `json:"status"`
	Waiting bool         `json:"waiting"`
	Gates   []gateAnswer `json:"gates"`
}

type gateAnswer struct {
	Gate     core.Gate  `json:"gate"`
	Blocking bool       `json:"blocking"`
	Reason   string     `json:"reason"`
	OpensAt  *time.Time `json:"opensAt"` // null: not known, or not blocking
}

func (s *Server) explainTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	x, err := s.scheduler.Explain(ctx, id)
	if err != nil {
		return err
	}
	a := explanation{Executions: []explainedExecution{}}
	a.Gates, a.Waiting = gatesOf(x.Task)
	for _, e := range x.Executions {
		out := explainedExecution{ID: e.Execution.ID, Status: e.Execution.Status}
		out.Gates, out.Waiting = gatesOf(e.Gates)
		a.Executions = append(a.Executions, out)
	}
	return s.render(c, http.StatusOK, a)
}

func gatesOf(states []core.GateState) (gates []gateAnswer, waiting bool) {
	for _, g := range states {
		waiting = waiting || g.Blocking
		gates = append(gates, gateAnswer{Gate: g.Gate, Blocking: g.Blocking, Reason: g.Reason, OpensAt: g.OpensAt})
	}
	return gates, waiting
}
