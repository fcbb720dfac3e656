package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/nexuscore/scheduler/core"
)

// Call is a request that comes another way than HTTP.
type Call struct {
	Method, Path string
	Body         []byte // JSON, or none

	IdempotencyKey string // "" for none
	// KeyName is what its sender calls the idempotency key, for errors. Defaults to
	// the header's name.
	KeyName string
}

// keyNameKey is where a request has the name of its idempotency key.
const keyNameKey = "keyName"

// Do carries a call out and returns the status and the body of the answer, in
// the time of any request. A call goes on when ctx ends meanwhile, as a request
// does when an HTTP client hangs up; one whose ctx has ended already is answered
// with 503.
func (s *Server) Do(ctx context.Context, call Call) (status int, answer []byte) {
	if ctx.Err() != nil {
		return http.StatusServiceUnavailable, nil
	}
	var c fasthttp.RequestCtx
	r := &c.Request
	r.Header.SetMethod(call.Method)
	r.SetRequestURI(call.Path)
	if call.IdempotencyKey != "" {
		r.Header.Set(headerIdempotencyKey, call.IdempotencyKey)
	}
	if len(call.Body) > 0 {
		r.Header.SetContentType(fiber.MIMEApplicationJSON)
		r.SetBody(call.Body)
	}
	if call.KeyName != "" {
		c.SetUserValue(keyNameKey, call.KeyName)
	}
	s.bounded(s.app.Handler())(&c)
	if late := c.LastTimeoutErrorResponse(); late != nil { // the handler still has c
		return late.StatusCode(), late.Body()
	}
	return c.Response.StatusCode(), c.Response.Body()
}

// Refuse answers an error as a request would be answered that had it.
func (s *Server) Refuse(err error) (status int, answer []byte) {
	r := s.refusal(http.MethodPost, "/", core.NewID(), err)
	return r.StatusCode(), r.Body()
}

// nameKey calls the idempotency key in an error what the sender calls it.
func nameKey(c *fiber.Ctx, e *core.Error) *core.Error {
	name, ok := c.Locals(keyNameKey).(string)
	if !ok {
		return e
	}
	named := *e
	named.Message = strings.ReplaceAll(e.Message, headerIdempotencyKey, name)
	named.Fields = slices.Clone(e.Fields)
	for i, f := range named.Fields {
		if f.Field == headerIdempotencyKey {
			named.Fields[i].Field = name
		}
	}
	return &named
}
