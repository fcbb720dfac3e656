package api

import (
	"context"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// calendarRequest is what POST and PUT /calendars take.
type calendarRequest struct {
	core.CalendarSpec
	ID        jsontext.Value `json:"id"`
	CreatedAt jsontext.Value `json:"createdAt"`
	UpdatedAt jsontext.Value `json:"updatedAt"`
	Version   jsontext.Value `json:"version"`
}

const mimeICalendar = "text/calendar"

// calendarSpec reads a calendar from a JSON body, or from an iCalendar body with
// name and onExcluded in the query.
func (s *Server) calendarSpec(c *fiber.Ctx, name string) (core.CalendarSpec, error) {
	media, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || media != mimeICalendar {
		var in calendarRequest
		err := decode(c, &in)
		return in.CalendarSpec, err
	}
	spec, err := importICalendar(c.Request().Body(), s.clock.Now())
	spec.Name = name
	if spec.Name == "" {
		spec.Name = strings.Clone(c.Query("name"))
	}
	spec.OnExcluded = onExcluded(c)
	return spec, err
}

func (s *Server) createCalendar(c *fiber.Ctx) error {
	spec, err := s.calendarSpec(c, "")
	if err != nil {
		return err
	}
	key, err := idempotency(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	cal, err := s.scheduler.CreateCalendar(ctx, spec, key)
	if err := replayed(c, err); err != nil {
		return err
	}
	s.changed(c, "calendar created", "calendar", cal.Name)
	c.Location("/calendars/" + cal.Name)
	setETag(c, cal.Version)
	return s.render(c, http.StatusCreated, cal)
}

func (s *Server) listCalendars(c *fiber.Ctx) error {
	q := newQuery(c, "calendars")
	p, err := q.page()
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	all, err := s.scheduler.Calendars(ctx, oneMore(p))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer(q, p.Limit, all, func(cal core.Calendar) string { return cal.ID }))
}

func (s *Server) getCalendar(c *fiber.Ctx) error {
	ctx, done := s.context()
	defer done()
	cal, err := s.scheduler.Calendar(ctx, calendarName(c))
	if err != nil {
		return err
	}
	setETag(c, cal.Version)
	return s.render(c, http.StatusOK, cal)
}

func (s *Server) updateCalendar(c *fiber.Ctx) error {
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	name := calendarName(c)
	spec, err := s.calendarSpec(c, name)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	version, err := match.version(s.calendarVersion(ctx, name))
	if err != nil {
		return err
	}
	cal, err := s.scheduler.UpdateCalendar(ctx, name, version, spec)
	if err != nil {
		return err
	}
	s.changed(c, "calendar updated", "calendar", name)
	setETag(c, cal.Version)
	return s.render(c, http.StatusOK, cal)
}

func (s *Server) deleteCalendar(c *fiber.Ctx) error {
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	name := calendarName(c)
	version, err := match.version(s.calendarVersion(ctx, name))
	if err != nil {
		return err
	}
	if err := s.scheduler.DeleteCalendar(ctx, name, version); err != nil {
		return err
	}
	s.changed(c, "calendar deleted", "calendar", name)
	return c.SendStatus(http.StatusNoContent)
}

// calendarVersion looks a calendar's version up.
func (s *Server) calendarVersion(ctx context.Context, name string) func() (int64, error) {
	return func() (int64, error) {
		cal, err := s.scheduler.Calendar(ctx, name)
		return cal.Version, err
	}
}

func calendarName(c *fiber.Ctx) string { return strings.Clone(c.Params("name")) }
