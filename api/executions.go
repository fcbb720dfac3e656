package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// maxWait bounds ?wait=.
const maxWait = 5 * time.Minute

func (s *Server) executeTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	return s.startExecution(c, func(ctx context.Context, key *core.Idempotency) (core.Execution, error) {
		return s.scheduler.Execute(ctx, id, key)
	})
}

func (s *Server) retryExecution(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "execution")
	if err != nil {
		return err
	}
	return s.startExecution(c, func(ctx context.Context, key *core.Idempotency) (core.Execution, error) {
		return s.scheduler.Retry(ctx, id, key)
	})
}

// startExecution plans an execution and answers 202, or waits for its end when
// the request says ?wait=.
func (s *Server) startExecution(c *fiber.Ctx, plan func(context.Context, *core.Idempotency) (core.Execution, error)) error {
	wait, err := waitOf(c)
	if err != nil {
		return err
	}
	if err := emptyBody(c); err != nil {
		return err
	}
	key, err := idempotency(c)
	if err != nil {
		return err
	}
	if wait > 0 {
		leave, err := s.enterWait() // before anything is planned: a refusal must have had no effect
		if err != nil {
			return err
		}
		defer leave()
	}
	ctx, done := s.context()
	defer done()
	e, err := plan(ctx, key)
	if err := replayed(c, err); err != nil {
		return err
	}
	s.changed(c, "execution planned", "execution_id", e.ID, "task_id", e.TaskID, "trigger", e.Trigger)
	c.Location("/executions/" + e.ID)
	if wait == 0 {
		return s.render(c, http.StatusAccepted, e)
	}
	return s.answerWaited(c, e.ID, wait)
}

// enterWait counts a waiting request in, and the function it returns counts it
// out again.
func (s *Server) enterWait() (leave func(), err error) {
	select {
	case s.waits <- struct{}{}:
		return func() { <-s.waits }, nil
	default:
		return nil, core.Errorf(core.CodeRateLimited, "%d requests wait for executions already; ask without wait, or later", cap(s.waits))
	}
}

// answerWaited answers the finished execution, its failure as an error, or 202
// when the wait was not long enough or the service stops.
func (s *Server) answerWaited(c *fiber.Ctx, id string, wait time.Duration) error {
	extend(c, wait)
	ctx, done := context.WithTimeout(s.patience, wait)
	defer done()
	e, err := s.scheduler.Await(ctx, id)
	switch {
	case err != nil:
		return err
	case !e.Status.Final():
		return s.render(c, http.StatusAccepted, e)
	case e.Status == core.StatusSucceeded:
		return s.render(c, http.StatusOK, e)
	}
	return executionError(e)
}

// executionError is a finished execution that did not succeed, as an error of
// the request that waited for it.
func executionError(e core.Execution) error {
	code := core.CodeExecutionFailed
	if e.ErrorCode != nil && (*e.ErrorCode == core.CodeTimeout || *e.ErrorCode == core.CodeDependencyFailed || *e.ErrorCode == core.CodePluginUnavailable) {
		code = *e.ErrorCode
	}
	message := "the execution ended as " + string(e.Status)
	if e.Error != nil {
		message += ": " + *e.Error
	}
	return &core.Error{Code: code, Message: message, Details: map[string]any{"execution": e}}
}

// waitOf reads ?wait=: a duration as Go and curl users write it, such as 10s.
func waitOf(c *fiber.Ctx) (time.Duration, error) {
	raw := c.Query("wait")
	if raw == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(raw)
	if err != nil || d < 0 || d > maxWait {
		return 0, core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{
			Field: "?wait", Problem: "is not a duration from 0s to 5m, for example 10s",
		}})
	}
	return d, nil
}

// emptyBody refuses a body on routes that take none, except an empty object:
// many clients always send one.
func emptyBody(c *fiber.Ctx) error {
	if len(c.Request().Body()) == 0 {
		return nil
	}
	return decodeJSON(c.Request().Body(), &struct{}{})
}

func (s *Server) getExecution(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "execution")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	e, err := s.scheduler.Execution(ctx, id)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, e)
}

func (s *Server) getExecutionLogs(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "execution")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	logs, err := s.scheduler.Logs(ctx, id)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, list[core.AttemptLog]{Items: logs})
}

func (s *Server) cancelExecution(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "execution")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	report, err := s.scheduler.CancelExecution(ctx, id)
	if err != nil {
		return err
	}
	s.changed(c, "execution cancelled", "execution_id", id)
	return s.render(c, http.StatusOK, cancelled(report))
}
