package api

import (
	"context"
	_ "embed" // for the API description
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// Health tells how the service is. Its methods answer within a few seconds
// whatever is broken.
type Health interface {
	// Check looks at every part.
	Check(ctx context.Context) HealthReport
	// Ready reports whether requests should be sent here, and if not why.
	Ready(ctx context.Context) error
}

// HealthState is how a part is.
type HealthState string

// The states of a part, best first.
const (
	HealthOK       HealthState = "ok"
	HealthDegraded HealthState = "degraded" // works, slower or with less
	HealthDown     HealthState = "down"
)

// HealthReport is the answer of GET /health.
type HealthReport struct {
	Status      HealthState            `json:"status"` // the worst that matters
	Version     string                 `json:"version"`
	Environment string                 `json:"environment"` // NODE_ENV
	Node        string                 `json:"node"`
	Checks      map[string]HealthCheck `json:"checks"` // database, redis, queue, executor, services
}

// HealthCheck is the state of one part.
type HealthCheck struct {
	Status    HealthState    `json:"status"`
	Adapter   string         `json:"adapter,omitempty"` // what serves it: sqlite, memory, postgres, …
	LatencyMs *float64       `json:"latencyMs,omitempty"`
	Error     string         `json:"error,omitempty"`
	Details   map[string]any `json:"details,omitempty"`
}

//go:embed openapi.yaml
var openAPI []byte

// getHealth answers 200 while the service does its work and 503 when it cannot.
func (s *Server) getHealth(c *fiber.Ctx) error {
	ctx, done := s.context()
	defer done()
	report := s.health.Check(ctx)
	status := http.StatusOK
	if report.Status == HealthDown {
		status = http.StatusServiceUnavailable
	}
	return s.render(c, status, report)
}

// getLive answers as long as the process can answer at all.
func (s *Server) getLive(c *fiber.Ctx) error {
	return s.render(c, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) getReady(c *fiber.Ctx) error {
	ctx, done := s.context()
	defer done()
	if err := s.health.Ready(ctx); err != nil {
		return &core.Error{Code: core.CodeUnavailable, Message: "not ready: " + err.Error()}
	}
	return s.render(c, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *Server) getMetrics(c *fiber.Ctx) error {
	if s.metrics == nil {
		return core.Errorf(core.CodeNotFound, "there are no metrics here")
	}
	return s.metrics(c)
}

func (s *Server) getOpenAPI(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, "application/yaml; charset=utf-8")
	return c.Send(openAPI)
}
