package api

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Do carries a request out without a connection, for callers that come another
// way than HTTP, and returns the status and the body of the answer. An
// idempotency key may be empty. A request goes on when ctx ends meanwhile, as it
// does when an HTTP client hangs up; one whose ctx has ended already is
// answered with 503.
func (s *Server) Do(ctx context.Context, method, path, idempotencyKey string, body []byte) (status int, answer []byte) {
	if ctx.Err() != nil {
		return http.StatusServiceUnavailable, nil
	}
	var c fasthttp.RequestCtx
	r := &c.Request
	r.Header.SetMethod(method)
	r.SetRequestURI(path)
	if idempotencyKey != "" {
		r.Header.Set(headerIdempotencyKey, idempotencyKey)
	}
	if len(body) > 0 {
		r.Header.SetContentType(fiber.MIMEApplicationJSON)
		r.SetBody(body)
	}
	s.app.Handler()(&c)
	return c.Response.StatusCode(), c.Response.Body()
}
