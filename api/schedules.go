package api

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// scheduleRequest is what POST and PUT /schedules take.
type scheduleRequest struct {
	core.ScheduleSpec
	ID        jsontext.Value `json:"id"`
	CreatedAt jsontext.Value `json:"createdAt"`
	UpdatedAt jsontext.Value `json:"updatedAt"`
	Version   jsontext.Value `json:"version"`
}

func (s *Server) createSchedule(c *fiber.Ctx) error {
	var in scheduleRequest
	if err := decode(c, &in); err != nil {
		return err
	}
	key, err := idempotency(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	sc, err := s.scheduler.CreateSchedule(ctx, in.ScheduleSpec, key)
	if err := replayed(c, err); err != nil {
		return err
	}
	s.changed(c, "schedule created", "schedule_id", sc.ID)
	c.Location("/schedules/" + sc.ID)
	setETag(c, sc.Version)
	return s.render(c, http.StatusCreated, sc)
}

func (s *Server) listSchedules(c *fiber.Ctx) error {
	q := newQuery(c, "schedules")
	p, err := q.page()
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	all, err := s.scheduler.Schedules(ctx, oneMore(p))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer(q, p.Limit, all, func(sc core.Schedule) string { return sc.ID }))
}

func (s *Server) getSchedule(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "schedule")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	sc, err := s.scheduler.Schedule(ctx, id)
	if err != nil {
		return err
	}
	setETag(c, sc.Version)
	return s.render(c, http.StatusOK, sc)
}

func (s *Server) updateSchedule(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "schedule")
	if err != nil {
		return err
	}
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	var in scheduleRequest
	if err := decode(c, &in); err != nil {
		return err
	}
	if err := samePath(in.ID, id); err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	version, err := match.version(s.scheduleVersion(ctx, id))
	if err != nil {
		return err
	}
	sc, err := s.scheduler.UpdateSchedule(ctx, id, version, in.ScheduleSpec)
	if err != nil {
		return err
	}
	s.changed(c, "schedule updated", "schedule_id", id)
	setETag(c, sc.Version)
	return s.render(c, http.StatusOK, sc)
}

func (s *Server) deleteSchedule(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "schedule")
	if err != nil {
		return err
	}
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	version, err := match.version(s.scheduleVersion(ctx, id))
	if err != nil {
		return err
	}
	if err := s.scheduler.DeleteSchedule(ctx, id, version); err != nil {
		return err
	}
	s.changed(c, "schedule deleted", "schedule_id", id)
	return c.SendStatus(http.StatusNoContent)
}

// scheduleVersion looks a schedule's version up.
func (s *Server) scheduleVersion(ctx context.Context, id string) func() (int64, error) {
	return func() (int64, error) {
		sc, err := s.scheduler.Schedule(ctx, id)
		return sc.Version, err
	}
}

func (s *Server) listScheduleTasks(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "schedule")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	if _, err := s.scheduler.Schedule(ctx, id); err != nil {
		return err
	}
	return s.answerTasks(c, newQuery(c, "schedule-tasks:"+id), core.TaskFilter{ScheduleID: id})
}
