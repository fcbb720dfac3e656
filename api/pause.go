package api

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
)

// pauseRequest is what POST /tasks/:id/pause takes.
type pauseRequest struct {
	Reason string `json:"reason"`
}

func (s *Server) pauseTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	var in pauseRequest
	if len(c.Request().Body()) > 0 {
		if err := decode(c, &in); err != nil {
			return err
		}
	}
	ctx, done := s.context()
	defer done()
	t, err := s.scheduler.PauseTask(ctx, id, in.Reason)
	if err != nil {
		return err
	}
	s.changed(c, "task paused", "task_id", id, "reason", *t.PauseReason)
	setETag(c, t.Version)
	return s.render(c, http.StatusOK, t)
}

func (s *Server) resumeTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	if err := emptyBody(c); err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	t, err := s.scheduler.ResumeTask(ctx, id)
	if err != nil {
		return err
	}
	s.changed(c, "task resumed", "task_id", id)
	setETag(c, t.Version)
	return s.render(c, http.StatusOK, t)
}
