package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const (
	maxFailureText = 4 << 10
	maxRetryAfter  = 30 * 24 * time.Hour // a plugin's wish beyond this is taken for this
)

// errReplaced is the cause of cancelling what a closing generation still runs.
var errReplaced = errors.New("the plugin was closed")

// NotBegunError is the failure of a run of which the plugin has seen nothing: it
// may be repeated whatever its task promises.
type NotBegunError struct{ Err error }

// Error renders the reason.
func (n NotBegunError) Error() string { return n.Err.Error() }

// Unwrap returns the reason.
func (n NotBegunError) Unwrap() error { return n.Err }

// failureOf says how an attempt ended that Handle returned err for.
func failureOf(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*core.Failure](err); ok {
		clean := *f
		clean.Message = clip(f.Message, maxFailureText) // it may quote the program
		return &clean
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return err
}

// ended translates the cause of a run's end.
func ended(ctx context.Context) *core.Failure {
	cause := context.Cause(ctx)
	if f, ok := errors.AsType[*core.Failure](cause); ok {
		return f
	}
	switch {
	case errors.Is(cause, errReplaced):
		return unavailable("the plugin was closed while the attempt ran")
	case errors.Is(cause, context.DeadlineExceeded), core.CodeOf(cause) == core.CodeTimeout:
		return &core.Failure{Code: core.CodeTimeout, Class: core.ClassTimeout, Message: "ran out of time"}
	}
	return &core.Failure{Code: core.CodeCancelled, Class: core.ClassCancelled, Message: "cancelled"}
}

// reported is the handler's own error.
func reported(e *wire.Error) *core.Failure {
	f := &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable, Message: clip(e.Message, maxFailureText)}
	switch e.Kind {
	case wire.Permanent:
		f.Class = core.ClassPermanent
	case wire.Denied: // also by the sandbox, of which the plugin alone knows
		f.Code, f.Class = core.CodePluginDenied, core.ClassDenied
	}
	if f.Class == core.ClassRetryable && e.RetryAfterMS > 0 {
		f.RetryAfter = time.Duration(min(e.RetryAfterMS, maxRetryAfter.Milliseconds())) * time.Millisecond
	}
	return f
}

// broken is an answer that the plugin should not have given.
func broken(err error) *core.Failure {
	return &core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassPermanent, Message: clip(fmt.Sprintf("the plugin's answer cannot be read: %v", err), maxFailureText)}
}

func unavailable(format string, args ...any) *core.Failure {
	return &core.Failure{Code: core.CodePluginUnavailable, Class: core.ClassRetryable, Message: fmt.Sprintf(format, args...)}
}
