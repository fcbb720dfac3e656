package core

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of failure. It is stable: clients and alerts match on it.
type Code string

// The codes a request can fail with. api maps each one to an HTTP status.
const (
	CodeInvalidRequest     Code = "INVALID_REQUEST"        // the request cannot be read: malformed JSON, wrong type, unknown field, bad parameter
	CodeUnauthorized       Code = "UNAUTHORIZED"           // who is asking is not known
	CodeForbidden          Code = "FORBIDDEN"              // who is asking may not do this
	CodeNotFound           Code = "NOT_FOUND"              // no such task, schedule, execution, route
	CodeMethodNotAllowed   Code = "METHOD_NOT_ALLOWED"     // the route exists, the method does not
	CodeConflict           Code = "CONFLICT"               // the state of the thing forbids the operation
	CodeTaskLocked         Code = "TASK_LOCKED"            // the overlap policy forbids another execution now
	CodePreconditionFailed Code = "PRECONDITION_FAILED"    // If-Match names another version
	CodePayloadTooLarge    Code = "PAYLOAD_TOO_LARGE"      // body over the limit
	CodeUnsupportedMedia   Code = "UNSUPPORTED_MEDIA_TYPE" // the body is not JSON
	CodeInvalidSchedule    Code = "INVALID_SCHEDULE"       // the timing cannot be understood or can never fire
	CodeValidationFailed   Code = "VALIDATION_FAILED"      // the request can be read and is wrong
	CodeDependencyFailed   Code = "DEPENDENCY_FAILED"      // a task this one depends on did not succeed
	CodeRateLimited        Code = "RATE_LIMITED"           // too many requests
	CodeExecutionFailed    Code = "EXECUTION_FAILED"       // the handler reported an error
	CodeTimeout            Code = "TIMEOUT"                // the execution or the request ran out of time
	CodePluginUnavailable  Code = "PLUGIN_UNAVAILABLE"     // the task type's plugin is not loaded
	CodeUnavailable        Code = "UNAVAILABLE"            // a service that is needed does not answer
	CodeInternal           Code = "INTERNAL"               // a defect of ours
)

// The codes that end an execution beside EXECUTION_FAILED, TIMEOUT,
// DEPENDENCY_FAILED and PLUGIN_UNAVAILABLE. They are never the code of a
// request; docs/errors.md says what to do about each.
const (
	CodeCancelled         Code = "CANCELLED"           // ended on request
	CodePluginMemoryLimit Code = "PLUGIN_MEMORY_LIMIT" // asked for more memory than its limit
	CodePluginCPULimit    Code = "PLUGIN_CPU_LIMIT"    // computed longer than its limit
	CodePluginOutputLimit Code = "PLUGIN_OUTPUT_LIMIT" // answered with more bytes than its limit
	CodePluginCallLimit   Code = "PLUGIN_CALL_LIMIT"   // made more host calls than its limit
	CodePluginLogLimit    Code = "PLUGIN_LOG_LIMIT"    // logged more lines or bytes than its limits
	CodePluginStateLimit  Code = "PLUGIN_STATE_LIMIT"  // wanted to keep more state than its limit
	CodePluginEgressLimit Code = "PLUGIN_EGRESS_LIMIT" // made more or larger HTTP requests than its limits
	CodePluginDenied      Code = "PLUGIN_DENIED"       // used a capability that was not granted
	CodePluginTrap        Code = "PLUGIN_TRAP"         // panicked or executed an illegal instruction
	CodePluginCrashed     Code = "PLUGIN_CRASHED"      // its process ended
	CodeResultRefused     Code = "RESULT_REFUSED"      // left behind what the store cannot keep
	CodeLeaseLost         Code = "LEASE_LOST"          // the node that ran it stopped answering
	CodeReplaced          Code = "REPLACED"            // missed, and a later occurrence runs instead
)

// RequestCodes lists every code that a request can be answered with.
func RequestCodes() []Code {
	return []Code{
		CodeInvalidRequest, CodeUnauthorized, CodeForbidden, CodeNotFound, CodeMethodNotAllowed,
		CodeConflict, CodeTaskLocked, CodePreconditionFailed, CodePayloadTooLarge, CodeUnsupportedMedia,
		CodeInvalidSchedule, CodeValidationFailed, CodeDependencyFailed, CodeRateLimited, CodeExecutionFailed,
		CodeTimeout, CodePluginUnavailable, CodeUnavailable, CodeInternal,
	}
}

// ExecutionCodes lists every code that an execution can end with.
func ExecutionCodes() []Code {
	return []Code{
		CodeExecutionFailed, CodeTimeout, CodeCancelled, CodeDependencyFailed, CodePluginMemoryLimit,
		CodePluginCPULimit, CodePluginOutputLimit, CodePluginCallLimit, CodePluginLogLimit, CodePluginStateLimit, CodePluginEgressLimit,
		CodePluginDenied, CodePluginTrap, CodePluginCrashed, CodePluginUnavailable, CodeResultRefused, CodeLeaseLost, CodeReplaced,
	}
}

// Error is a failure that the caller can act on. Message is for people and,
// with Fields and Details, safe to show; the wrapped cause is for the log only.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldProblem // what is wrong with the input, one entry a field
	Details map[string]any // further facts, shown to the caller
	Err     error          // cause, logged and never shown
}

// FieldProblem says what is wrong with one field of the input.
type FieldProblem struct {
	Field   string `json:"field"` // JSON Pointer (RFC 6901), for example /retryPolicy/attempts
	Problem string `json:"problem"`
}

// Error renders the code, the message and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error from a code and a message for people. A %w verb sets
// the cause; its text then becomes part of the message too, so wrap only what
// may be shown.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Invalid makes a VALIDATION_FAILED (or, by code, another) error out of field
// problems. It returns nil when there are none.
func Invalid(code Code, problems []FieldProblem) error {
	if len(problems) == 0 {
		return nil
	}
	msg := problems[0].Field + ": " + problems[0].Problem
	if n := len(problems) - 1; n > 0 {
		msg = fmt.Sprintf("%s (and %d more)", msg, n)
	}
	return &Error{Code: code, Message: msg, Fields: problems}
}

// CodeOf returns the code of the first Error in err's chain, INTERNAL when
// there is none and "" when err is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Class says what the retry policy does with a failed attempt.
type Class string

// The classes of a failed attempt.
const (
	ClassRetryable Class = "retryable" // may succeed next time; the default
	ClassPermanent Class = "permanent" // will fail again; never retried
	ClassTimeout   Class = "timeout"   // ran out of time; retried by policy
	ClassDenied    Class = "denied"    // used what was not granted; never retried
	ClassCancelled Class = "cancelled" // ended on request; never retried
)

// Failure is how an attempt ended badly: the code and text that the execution
// shows, and what the retry policy needs to know. Invokers return it as error.
type Failure struct {
	Code       Code
	Message    string
	Class      Class
	RetryAfter time.Duration // the plugin's own wish for the next attempt; 0 leaves it to the policy
}

// Error renders the code and the message.
func (f *Failure) Error() string { return string(f.Code) + ": " + f.Message }

// FailureOf turns any error of an Invoker into a Failure. An error of another
// kind is our defect: the attempt is retryable and its text is kept back.
func FailureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Code: CodeInternal, Message: "internal error; see the server's log", Class: ClassRetryable}
}
