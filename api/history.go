package api

import (
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

func (s *Server) listHistory(c *fiber.Ctx) error {
	q := newQuery(c, "history")
	f := executionFilter(q)
	f.TaskID = q.id("taskId")
	f.Statuses = statuses(q)
	return s.answerExecutions(c, q, f)
}

func (s *Server) listFailed(c *fiber.Ctx) error {
	q := newQuery(c, "failed")
	f := executionFilter(q)
	f.TaskID = q.id("taskId")
	f.Statuses = []core.Status{core.StatusFailed, core.StatusLost}
	return s.answerExecutions(c, q, f)
}

func (s *Server) listTaskHistory(c *fiber.Ctx) error {
	id, err := pathID(c, "taskId", "task")
	if err != nil {
		return err
	}
	q := newQuery(c, "history:"+id)
	f := executionFilter(q)
	f.TaskID = id
	f.Statuses = statuses(q)
	return s.answerExecutions(c, q, f)
}

func executionFilter(q *query) core.ExecutionFilter {
	f := core.ExecutionFilter{
		Type: q.text("type"), Trigger: core.Trigger(q.text("trigger")),
		From: q.instant("from"), To: q.instant("to"),
	}
	switch f.Trigger {
	case "", core.TriggerSchedule, core.TriggerManual, core.TriggerRetry, core.TriggerDependency, core.TriggerBackfill:
	default:
		q.bad("trigger", "is not one of schedule, manual, retry, dependency, backfill")
	}
	return f
}

func statuses(q *query) []core.Status {
	var all []core.Status
	for _, word := range q.repeated("status") {
		if !slices.Contains(core.Statuses(), core.Status(word)) {
			q.bad("status", "knows no state "+word)
		}
		all = append(all, core.Status(word))
	}
	return all
}

func (s *Server) answerExecutions(c *fiber.Ctx, q *query, f core.ExecutionFilter) error {
	p, err := q.page()
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	all, err := s.scheduler.Executions(ctx, f, oneMore(p))
	if err != nil {
		return err
	}
	listed := make([]listedExecution, len(all))
	for i, e := range all {
		listed[i] = listedOf(e)
	}
	return s.render(c, http.StatusOK, answer(q, p.Limit, listed, func(e listedExecution) string { return e.ID }))
}

// maxListedResult bounds a result in a list, which has up to 200 of them.
const maxListedResult = 16 << 10

// listedExecution is an execution in a list. A large result is left out there;
// GET /executions/:id has it.
type listedExecution struct {
	core.Execution
	ResultOmitted bool `json:"resultOmitted"`
}

func listedOf(e core.Execution) listedExecution {
	l := listedExecution{Execution: e}
	if len(e.Result) > maxListedResult {
		l.Result, l.ResultOmitted = nil, true
	}
	return l
}
