package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

func (s *Server) listPlugins(c *fiber.Ctx) error {
	return s.render(c, http.StatusOK, list[core.PluginStatus]{Items: s.plugins()})
}

func (s *Server) plugins() []core.PluginStatus {
	if all := s.scheduler.Plugins(); all != nil {
		return all
	}
	return []core.PluginStatus{}
}

func (s *Server) getPlugin(c *fiber.Ctx) error {
	taskType := c.Params("type")
	for _, p := range s.plugins() {
		if p.Type == taskType {
			return s.render(c, http.StatusOK, p)
		}
	}
	return core.Errorf(core.CodeNotFound, "no plugin serves the task type %.80q", taskType)
}

// reloadTimeout bounds a reload: compiling plugins takes longer than any other
// request.
const reloadTimeout = 5 * time.Minute

// reloadPlugins reads the plugin configuration anew and answers the result.
func (s *Server) reloadPlugins(c *fiber.Ctx) error {
	if s.reload == nil {
		return core.Errorf(core.CodeUnavailable, "this node cannot reload plugins")
	}
	if err := emptyBody(c); err != nil {
		return err
	}
	ctx, done := context.WithTimeout(s.patience, reloadTimeout)
	defer done()
	err := s.reload.Reload(ctx)
	switch {
	case err != nil && ctx.Err() != nil: // of a plugin's own time the error tells
		return &core.Error{Code: core.CodeUnavailable, Message: "plugins were not reloaded: it took too long, or the service stops", Err: err}
	case err != nil:
		return &core.Error{Code: core.CodeValidationFailed, Message: "plugins were not reloaded: " + err.Error()}
	}
	s.changed(c, "plugins reloaded")
	return s.listPlugins(c)
}
