package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gofiber/fiber/v2"
	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// Config is what a Server stands on.
type Config struct {
	Scheduler *core.Scheduler // required
	Health    Health          // required
	Reload    Reloader        // nil: plugins cannot be reloaded
	Logger    hclog.Logger    // Defaults to none.
	Clock     core.Clock      // Defaults to the machine's.
	Version   string          // shown in the Server header and /health

	// BodyLimit bounds a request body in bytes. Defaults to 1 MiB.
	BodyLimit int
	// RequestTimeout bounds what a request may take, a wait for an execution
	// not counted. Defaults to 30 s.
	RequestTimeout time.Duration
}

// Reloader reads the plugin configuration anew. It fails, and changes nothing,
// when the configuration cannot be read.
type Reloader interface {
	Reload(ctx context.Context) error
}

// Server is the REST API. Its methods are safe for concurrent use.
type Server struct {
	app       *fiber.App
	scheduler *core.Scheduler
	health    Health
	reload    Reloader
	log       hclog.Logger
	clock     core.Clock
	timeout   time.Duration
}

const (
	defaultBodyLimit = 1 << 20
	readTimeout      = 30 * time.Second // a whole request, so that a slow sender holds no connection for ever
	idleTimeout      = 2 * time.Minute
	headerLimit      = 16 << 10
)

// New makes a server. It listens to nothing yet.
func New(cfg Config) *Server {
	s := &Server{
		scheduler: cfg.Scheduler, health: cfg.Health, reload: cfg.Reload,
		log: cfg.Logger, clock: cfg.Clock, timeout: cfg.RequestTimeout,
	}
	if s.log == nil {
		s.log = hclog.NewNullLogger()
	}
	if s.clock == nil {
		s.clock = core.SystemClock{}
	}
	if s.timeout == 0 {
		s.timeout = 30 * time.Second
	}
	if cfg.BodyLimit == 0 {
		cfg.BodyLimit = defaultBodyLimit
	}
	s.app = fiber.New(fiber.Config{
		AppName:               "NexusCore Scheduler " + cfg.Version,
		BodyLimit:             cfg.BodyLimit,
		DisableStartupMessage: true,
		ErrorHandler:          s.renderError,
		IdleTimeout:           idleTimeout,
		Immutable:             true, // Fiber otherwise reuses the strings it hands out
		Network:               fiber.NetworkTCP,
		ReadBufferSize:        headerLimit,
		ReadTimeout:           readTimeout,
		StrictRouting:         false,
		UnescapePath:          false,
	})
	s.app.Use(s.identify, s.observe, s.recoverPanic)
	s.routes()
	return s
}

// Serve answers requests on ln until Shutdown.
func (s *Server) Serve(ln net.Listener) error { return s.app.Listener(ln) }

// Shutdown takes no new requests and waits for the open ones until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }

// Test answers one request without a listener.
func (s *Server) Test(r *http.Request) (*http.Response, error) { return s.app.Test(r, -1) }

const headerRequestID = "X-Request-Id"

// identify gives the request an id: the caller's own if it is sane.
func (s *Server) identify(c *fiber.Ctx) error {
	requestID(c)
	c.Set("X-Content-Type-Options", "nosniff")
	return c.Next()
}

// requestID returns the request's id and makes it on first use, because errors
// of the HTTP layer itself come without middleware.
func requestID(c *fiber.Ctx) string {
	if id := c.GetRespHeader(headerRequestID); id != "" {
		return id
	}
	id := c.Get(headerRequestID)
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		id = core.NewID()
	}
	c.Set(headerRequestID, id)
	return id
}

// observe logs each request when it is answered.
func (s *Server) observe(c *fiber.Ctx) error {
	start := s.clock.Now()
	err := c.Next()
	if err != nil {
		if rendered := s.renderError(c, err); rendered != nil {
			return rendered
		}
	}
	if s.log.IsDebug() {
		s.log.Debug("request", "request_id", requestID(c), "method", c.Method(), "path", c.Path(),
			"status", c.Response().StatusCode(), "took", s.clock.Now().Sub(start))
	}
	return nil
}

// recoverPanic turns a panic of a handler into an INTERNAL error; fasthttp
// would let it end the process.
func (s *Server) recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in a handler", "request_id", requestID(c), "panic", r, "stack", string(debug.Stack()))
			err = &core.Error{Code: core.CodeInternal, Message: "internal error; the server's log has the cause under this requestId", Err: fmt.Errorf("panic: %v", r)}
		}
	}()
	return c.Next()
}

// context returns the request's own context. Fiber's ends only when the server
// does, so every request gets a deadline of its own.
func (s *Server) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), s.timeout)
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// render answers with JSON: maps in the order of their keys, so that answers
// can be compared.
func (s *Server) render(c *fiber.Ctx, status int, v any) error {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("render answer: %w", err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).Send(body)
}
