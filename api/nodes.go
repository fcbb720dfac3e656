package api

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// nodeList is the answer of GET /nodes. There are few nodes, so it is one page.
type nodeList struct {
	Items      []core.Node `json:"items"`
	NextCursor *string     `json:"nextCursor"` // always null
}

func (s *Server) listNodes(c *fiber.Ctx) error {
	ctx, done := s.context()
	defer done()
	nodes, err := s.scheduler.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		for i := range n.Plugins {
			n.Plugins[i].DataSchema = nil // GET /plugins has it; here it is in the way
		}
	}
	return s.render(c, http.StatusOK, nodeList{Items: nodes})
}
