package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// PluginHost changes which plugins are in force on this node. It is safe for
// concurrent use.
type PluginHost interface {
	// Reload reads the plugin configuration anew. It fails, and changes nothing,
	// when that cannot be used.
	Reload(ctx context.Context) error
	// LastReload tells how that went the last time; nil before the first time.
	LastReload() *core.PluginReload
	// Rollback puts the previous version of a type in place. Errors: NOT_FOUND,
	// CONFLICT.
	Rollback(taskType string) error
	// Release ends the quarantine of a type. Errors: NOT_FOUND.
	Release(taskType string) error
}

// pluginList is the answer of GET /plugins. There are few types, so it is one
// page.
type pluginList struct {
	Items      []core.PluginStatus `json:"items"`
	NextCursor *string             `json:"nextCursor"` // always null
	LastReload *core.PluginReload  `json:"lastReload"`
}

func (s *Server) listPlugins(c *fiber.Ctx) error {
	all := pluginList{Items: s.plugins()}
	if s.changer != nil {
		all.LastReload = s.changer.LastReload()
	}
	return s.render(c, http.StatusOK, all)
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
	if err := s.mayChange(c); err != nil {
		return err
	}
	extend(c, reloadTimeout)
	ctx, done := context.WithTimeout(s.patience, reloadTimeout)
	defer done()
	err := s.changer.Reload(ctx)
	switch {
	case err != nil && ctx.Err() != nil: // of a plugin's own time the error tells
		return &core.Error{Code: core.CodeUnavailable, Message: "plugins were not reloaded: it took too long, or the service stops", Err: err}
	case err != nil:
		return &core.Error{Code: core.CodeValidationFailed, Message: "plugins were not reloaded: " + err.Error()}
	}
	s.changed(c, "plugins reloaded")
	return s.listPlugins(c)
}

// rollbackPlugin puts the previous version of a type in place.
func (s *Server) rollbackPlugin(c *fiber.Ctx) error {
	if err := s.mayChange(c); err != nil {
		return err
	}
	taskType := c.Params("type")
	if err := s.changer.Rollback(taskType); err != nil {
		return err
	}
	s.changed(c, "plugin rolled back", "type", taskType)
	return s.getPlugin(c)
}

// releasePlugin ends the quarantine of a type.
func (s *Server) releasePlugin(c *fiber.Ctx) error {
	if err := s.mayChange(c); err != nil {
		return err
	}
	taskType := c.Params("type")
	if err := s.changer.Release(taskType); err != nil {
		return err
	}
	s.changed(c, "plugin released from quarantine", "type", taskType)
	return s.getPlugin(c)
}

// mayChange checks a request that changes plugins and has nothing to say.
func (s *Server) mayChange(c *fiber.Ctx) error {
	if s.changer == nil {
		return core.Errorf(core.CodeUnavailable, "this node cannot change plugins")
	}
	return emptyBody(c)
}
