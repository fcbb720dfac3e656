package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/nexuscore/scheduler/core"
)

// statusOf maps every code of the contract to its HTTP status. It is the only
// such table; openapi.yaml is held against it by a test.
var statusOf = map[core.Code]int{
	core.CodeInvalidRequest:     http.StatusBadRequest,
	core.CodeUnauthorized:       http.StatusUnauthorized,
	core.CodeForbidden:          http.StatusForbidden,
	core.CodeNotFound:           http.StatusNotFound,
	core.CodeMethodNotAllowed:   http.StatusMethodNotAllowed,
	core.CodeConflict:           http.StatusConflict,
	core.CodeTaskLocked:         http.StatusConflict,
	core.CodePreconditionFailed: http.StatusPreconditionFailed,
	core.CodePayloadTooLarge:    http.StatusRequestEntityTooLarge,
	core.CodeUnsupportedMedia:   http.StatusUnsupportedMediaType,
	core.CodeInvalidSchedule:    http.StatusUnprocessableEntity,
	core.CodeValidationFailed:   http.StatusUnprocessableEntity,
	core.CodeDependencyFailed:   http.StatusFailedDependency,
	core.CodeRateLimited:        http.StatusTooManyRequests,
	core.CodeExecutionFailed:    http.StatusBadGateway,
	core.CodeTimeout:            http.StatusGatewayTimeout,
	core.CodePluginUnavailable:  http.StatusServiceUnavailable,
	core.CodeUnavailable:        http.StatusServiceUnavailable,
	core.CodeInternal:           http.StatusInternalServerError,
}

// envelope is the body of every error.
type envelope struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code      core.Code      `json:"code"`
	Message   string         `json:"message"`
	Details   map[string]any `json:"details"`
	Timestamp time.Time      `json:"timestamp"`
}

// renderError is Fiber's ErrorHandler. Errors of Fiber itself (no route, body
// too large) come here without any middleware having run, so everything an
// error answer needs is made here.
func (s *Server) renderError(c *fiber.Ctx, err error) error {
	e := nameKey(c, s.publicError(c.Method(), err))
	details := map[string]any{"requestId": requestID(c)}
	for k, v := range e.Details {
		details[k] = v
	}
	if len(e.Fields) > 0 {
		details["fields"] = e.Fields
	}
	status := statusOf[e.Code]
	if status >= http.StatusInternalServerError && e.Err != nil {
		s.log.Error("request failed", "request_id", requestID(c), "method", c.Method(), "path", c.Path(), "code", e.Code, "error", err)
	}
	if e.Code == core.CodeUnavailable || e.Code == core.CodePluginUnavailable || e.Code == core.CodeRateLimited {
		c.Set(fiber.HeaderRetryAfter, "5")
	}
	return s.render(c, status, envelope{errorBody{Code: e.Code, Message: e.Message, Details: details, Timestamp: core.Instant(s.clock.Now())}})
}

// publicError turns any error of a request into what may be shown.
func (s *Server) publicError(method string, err error) *core.Error {
	if e, ok := errors.AsType[*core.Error](err); ok {
		if _, known := statusOf[e.Code]; known {
			return e
		}
		return &core.Error{Code: core.CodeInternal, Message: "internal error", Err: err}
	}
	if e, ok := errors.AsType[*fiber.Error](err); ok {
		return fiberError(e)
	}
	if isTimeout(err) {
		return late(method, err)
	}
	return &core.Error{Code: core.CodeInternal, Message: "internal error; the server's log has the cause under this requestId", Err: err}
}

// fiberError names the errors that Fiber and fasthttp make themselves. Their own
// texts may quote the request, credentials included, and are neither shown nor
// logged.
func fiberError(e *fiber.Error) *core.Error {
	switch e.Code {
	case http.StatusNotFound:
		return &core.Error{Code: core.CodeNotFound, Message: "no such route; /openapi.yaml lists them"}
	case http.StatusMethodNotAllowed:
		return &core.Error{Code: core.CodeMethodNotAllowed, Message: "this route does not support the method; see the Allow header"}
	case http.StatusRequestEntityTooLarge:
		return &core.Error{Code: core.CodePayloadTooLarge, Message: "the request body is too large"}
	case http.StatusUnsupportedMediaType:
		return &core.Error{Code: core.CodeUnsupportedMedia, Message: "the media type of the body is not supported"}
	case http.StatusRequestTimeout:
		return &core.Error{Code: core.CodeTimeout, Message: "the request did not arrive whole in time"}
	case http.StatusRequestHeaderFieldsTooLarge:
		return &core.Error{Code: core.CodeInvalidRequest, Message: "the request line and the headers are too large together; at most 16 KiB are allowed"}
	}
	if e.Code >= http.StatusInternalServerError {
		return &core.Error{Code: core.CodeInternal, Message: "internal error", Err: errors.New(http.StatusText(e.Code))}
	}
	return &core.Error{Code: core.CodeInvalidRequest, Message: "the request is malformed HTTP"}
}
