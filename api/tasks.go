package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// taskRequest is what POST and PUT /tasks take: the spec, and the fields that
// the server owns, so that what GET answers can be sent back changed.
type taskRequest struct {
	core.TaskSpec
	ID          jsontext.Value `json:"id"`
	NextRun     jsontext.Value `json:"nextRun"`
	LastRun     jsontext.Value `json:"lastRun"`
	PauseReason jsontext.Value `json:"pauseReason"`
	CreatedAt   jsontext.Value `json:"createdAt"`
	UpdatedAt   jsontext.Value `json:"updatedAt"`
	Version     jsontext.Value `json:"version"`
}

func (s *Server) taskSpec(c *fiber.Ctx) (taskRequest, error) {
	in := taskRequest{TaskSpec: s.scheduler.NewSpec()}
	err := decode(c, &in)
	return in, err
}

func (s *Server) createTask(c *fiber.Ctx) error {
	in, err := s.taskSpec(c)
	if err != nil {
		return err
	}
	key, err := idempotency(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	t, err := s.scheduler.CreateTask(ctx, in.TaskSpec, key)
	if err := replayed(c, err); err != nil {
		return err
	}
	s.changed(c, "task created", "task_id", t.ID)
	c.Location("/tasks/" + t.ID)
	setETag(c, t.Version)
	return s.render(c, http.StatusCreated, t)
}

// replayed lets an answer through that repeats an earlier one, and marks it.
func replayed(c *fiber.Ctx, err error) error {
	if errors.Is(err, core.ErrReplayed) {
		c.Set(headerIdempotencyReplayed, "true")
		return nil
	}
	return err
}

func (s *Server) listTasks(c *fiber.Ctx) error {
	q := newQuery(c, "tasks")
	f := core.TaskFilter{
		Type: q.text("type"), Enabled: q.boolean("enabled"), Labels: q.labels("label"),
		Query: q.text("q"), ScheduleID: q.id("scheduleId"),
	}
	return s.answerTasks(c, q, f)
}

func (s *Server) answerTasks(c *fiber.Ctx, q *query, f core.TaskFilter) error {
	p, err := q.page()
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	tasks, err := s.scheduler.Tasks(ctx, f, oneMore(p))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer(q, p.Limit, tasks, func(t core.Task) string { return t.ID }))
}

func (s *Server) getTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	t, err := s.scheduler.Task(ctx, id)
	if err != nil {
		return err
	}
	setETag(c, t.Version)
	return s.render(c, http.StatusOK, t)
}

func (s *Server) updateTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	in, err := s.taskSpec(c)
	if err == nil {
		err = samePath(in.ID, id)
	}
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	version, err := match.version(s.taskVersion(ctx, id))
	if err != nil {
		return err
	}
	t, err := s.scheduler.UpdateTask(ctx, id, version, in.TaskSpec)
	if err != nil {
		return err
	}
	s.changed(c, "task updated", "task_id", id)
	setETag(c, t.Version)
	return s.render(c, http.StatusOK, t)
}

func (s *Server) deleteTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	version, err := match.version(s.taskVersion(ctx, id))
	if err != nil {
		return err
	}
	if err := s.scheduler.DeleteTask(ctx, id, version); err != nil {
		return err
	}
	s.changed(c, "task deleted", "task_id", id)
	return c.SendStatus(http.StatusNoContent)
}

// taskVersion looks a task's version up.
func (s *Server) taskVersion(ctx context.Context, id string) func() (int64, error) {
	return func() (int64, error) {
		t, err := s.scheduler.Task(ctx, id)
		return t.Version, err
	}
}

func (s *Server) cancelTask(c *fiber.Ctx) error {
	id, err := pathID(c, "id", "task")
	if err != nil {
		return err
	}
	ctx, done := s.context()
	defer done()
	report, err := s.scheduler.CancelTask(ctx, id)
	if err != nil {
		return err
	}
	s.changed(c, "task cancelled", "task_id", id, "executions", len(report.Cancelled)+len(report.Running), "disabled", report.Disabled)
	return s.render(c, http.StatusOK, cancelled(report))
}

// cancelAnswer says how many executions were ended or asked to end.
type cancelAnswer struct {
	Cancelled int  `json:"cancelled"`
	Disabled  bool `json:"disabled"` // a once task that was not yet due will not run
}

func cancelled(r core.CancelReport) cancelAnswer {
	return cancelAnswer{Cancelled: len(r.Cancelled) + len(r.Running), Disabled: r.Disabled}
}

// pathID reads an id from the path. A malformed one names nothing that exists
// and is told so.
func pathID(c *fiber.Ctx, param, noun string) (string, error) {
	id, ok := core.ParseID(c.Params(param))
	if !ok {
		return "", core.Invalid(core.CodeInvalidRequest, []core.FieldProblem{{
			Field: ":" + param, Problem: "the " + noun + " id in the path is not a UUID",
		}})
	}
	return id, nil
}
