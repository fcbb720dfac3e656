package api

import (
	"cmp"
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
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// Config is what a Server stands on.
type Config struct {
	Scheduler *core.Scheduler // required
	Health    Health          // required
	Plugins   PluginHost      // nil: plugins cannot be changed
	Metrics   http.Handler    // answers GET /metrics; nil: there is none
	Logger    hclog.Logger    // Defaults to none.
	Clock     core.Clock      // Defaults to the machine's.

	// Host is the address that the API listens on. When it is one of this machine
	// alone, requests must name localhost, a loopback address or it. Empty accepts
	// every name.
	Host string
	// BodyLimit bounds a request body in bytes. Defaults to 1 MiB.
	BodyLimit int
	// RequestTimeout bounds what a request may take, a wait for an execution
	// and a reload of plugins not counted: then it is answered with UNAVAILABLE,
	// whatever hangs. Handlers have nine tenths of it, so that mostly they can say
	// themselves what did not answer. Defaults to 10 s.
	RequestTimeout time.Duration
	// ReadTimeout bounds how long a caller may take to send a request. Defaults to
	// 30 s.
	ReadTimeout time.Duration
	// MaxWaits bounds the requests that wait for an execution at once; further
	// ones are RATE_LIMITED. Defaults to 1000.
	MaxWaits int
}

// Server is the REST API. Its methods are safe for concurrent use.
type Server struct {
	app       *fiber.App
	scheduler *core.Scheduler
	health    Health
	changer   PluginHost
	metrics   fiber.Handler
	log       hclog.Logger
	clock     core.Clock
	timeout   time.Duration
	host      string        // "" accepts every name
	waits     chan struct{} // one token for every request that waits for an execution

	patience context.Context    // ends when requests must come to an end
	hurry    context.CancelFunc // ends patience
}

const (
	defaultBodyLimit = 1 << 20
	defaultMaxWaits  = 1000
	defaultTimeout   = 10 * time.Second
	defaultRead      = 30 * time.Second
	writeTimeout     = maxWait + time.Minute // longer than any request may take
	idleTimeout      = 2 * time.Minute
	headerLimit      = 16 << 10
)

// New makes a server. It listens to nothing yet.
func New(cfg Config) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		scheduler: cfg.Scheduler, health: cfg.Health, changer: cfg.Plugins, log: cfg.Logger, clock: cfg.Clock,
		timeout: cfg.RequestTimeout, host: cfg.Host, waits: make(chan struct{}, cfg.MaxWaits),
	}
	if cfg.Metrics != nil {
		s.metrics = adaptor.HTTPHandler(cfg.Metrics)
	}
	s.patience, s.hurry = context.WithCancel(context.Background())
	s.app = fiber.New(fiber.Config{
		BodyLimit:             cfg.BodyLimit,
		DisableStartupMessage: true,
		ErrorHandler:          s.renderError,
		IdleTimeout:           idleTimeout,
		Immutable:             true, // Fiber otherwise reuses the strings it hands out
		Network:               fiber.NetworkTCP,
		ReadBufferSize:        headerLimit,
		ReadTimeout:           cfg.ReadTimeout, // a whole request, so that a slow sender holds no connection for ever
		StrictRouting:         false,
		UnescapePath:          false,
		WriteTimeout:          writeTimeout, // nor does a slow reader
	})
	s.app.Server().Handler = s.bounded(knownMethods(s.app.Server().Handler, s.app.AcquireCtx, s.app.ReleaseCtx))
	s.app.Use(s.identify, s.observe, s.recoverPanic, s.guard)
	s.routes()
	return s
}

func (c Config) withDefaults() Config {
	c.BodyLimit = cmp.Or(c.BodyLimit, defaultBodyLimit)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, defaultTimeout)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, defaultRead)
	c.MaxWaits = cmp.Or(c.MaxWaits, defaultMaxWaits)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	return c
}

// Serve answers requests on ln until Shutdown.
func (s *Server) Serve(ln net.Listener) error { return s.app.Listener(ln) }

// Hurry ends what requests wait for: those that wait for an execution are
// answered with 202 and its state, a reload of plugins changes nothing. Later
// requests wait for nothing. It returns at once and is idempotent.
func (s *Server) Hurry() { s.hurry() }

// Shutdown hurries, takes no new requests and waits for the open ones until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.hurry()
	return s.app.ShutdownWithContext(ctx)
}

// Test answers one request without a listener.
func (s *Server) Test(r *http.Request) (*http.Response, error) { return s.app.Test(r, -1) }

const (
	headerRequestID          = "X-Request-Id"
	headerContentTypeOptions = "X-Content-Type-Options"
)

// identify gives the request an id: the caller's own if it is sane.
func (s *Server) identify(c *fiber.Ctx) error {
	requestID(c)
	c.Set(headerContentTypeOptions, "nosniff")
	return c.Next()
}

// requestID returns the request's id and makes it on first use, because errors
// of the HTTP layer itself come without middleware.
func requestID(c *fiber.Ctx) string {
	if id := c.GetRespHeader(headerRequestID); id != "" {
		return id
	}
	id := sane(c.Get(headerRequestID))
	c.Set(headerRequestID, id)
	return id
}

// sane is a request's id if it can be one, else a new one.
func sane(id string) string {
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return core.NewID()
	}
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

// changed writes what a request has changed to the log, with the id of what was
// made. A repeated request has changed nothing.
func (s *Server) changed(c *fiber.Ctx, what string, facts ...any) {
	if c.GetRespHeader(headerIdempotencyReplayed) == "" {
		s.log.Info(what, append([]any{"request_id", requestID(c)}, facts...)...)
	}
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
	return context.WithTimeout(context.Background(), s.timeout*9/10)
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
