package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/nexuscore/scheduler/core"
)

// allowance is how a handler asks for more time than every request has.
type allowance chan time.Duration

// allowanceKey is where a request has its allowance.
const allowanceKey = "allowance"

// extend gives a request more time than every request has.
func extend(c *fiber.Ctx, more time.Duration) {
	if a, ok := c.Locals(allowanceKey).(allowance); ok {
		a <- more
	}
}

// bounded answers a request in its time whatever becomes of its handler: what a
// handler waits for may hang and not heed its context, as a database whose
// machine has stopped. Such a handler goes on by itself, and nobody sees what it
// answers.
func (s *Server) bounded(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		id := sane(string(c.Request.Header.Peek(headerRequestID)))
		c.Request.Header.Set(headerRequestID, id)
		// The handler has c from here on.
		method, path := string(c.Method()), string(c.Path())
		more, done := make(allowance, 1), make(chan struct{})
		c.SetUserValue(allowanceKey, more)
		begin := s.clock.Now()
		end := time.NewTimer(s.timeout)
		defer end.Stop()
		go func() {
			defer close(done)
			next(c)
		}()
		for {
			select {
			case <-done:
				return
			case d := <-more:
				end.Reset(s.timeout + d - s.clock.Now().Sub(begin))
			case <-end.C:
				c.TimeoutErrorWithResponse(s.refusal(method, path, id, context.DeadlineExceeded))
				return
			}
		}
	}
}

// refusal is the answer to a request that no handler answers.
func (s *Server) refusal(method, path, id string, err error) *fasthttp.Response {
	var r fasthttp.RequestCtx
	r.Request.Header.SetMethod(method)
	r.Request.SetRequestURI(path)
	r.Request.Header.Set(headerRequestID, id)
	c := s.app.AcquireCtx(&r)
	defer s.app.ReleaseCtx(c)
	if e := s.renderError(c, err); e != nil {
		r.Response.SetStatusCode(http.StatusInternalServerError)
	}
	r.Response.Header.Set(headerContentTypeOptions, "nosniff")
	r.Response.SkipBody = r.IsHead()
	return &r.Response
}

// late is the error of a request that took too long. What was to change
// something may have done so: its commit may be what had no answer.
func late(method string, cause error) *core.Error {
	e := &core.Error{Code: core.CodeUnavailable, Message: "the service did not get an answer in time; try again", Err: cause}
	if method != http.MethodGet && method != http.MethodHead {
		e.Message = "the service did not get an answer in time, and it is not known whether the request was carried out: " +
			"repeat it with the same idempotency key, or look first"
	}
	return e
}
