package sdk

import (
	"errors"
	"runtime"
	"syscall"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Permanent marks err as one that another attempt will meet again: the
// execution fails at once, whatever the retry policy allows. It keeps err in
// the chain. Permanent of nil is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err: err, kind: wire.Permanent}
}

// RetryAfter marks err as one that goes away in a while: when the retry policy
// allows another attempt, it starts no earlier than after d. A d above zero also
// says that what is left to do was not done: with delivery at_most_once only such
// an error is followed by another attempt. It keeps err in the chain. RetryAfter of nil is nil; a negative d counts as zero.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &failure{err: err, kind: wire.Retryable, after: max(d, 0)}
}

// IsPermanent tells whether another attempt is pointless: err was marked with
// Permanent, or it is the host's refusal of something that is not granted.
func IsPermanent(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.kind != wire.Retryable
}

// failure is an error that knows what it means for the next attempt.
type failure struct {
	err   error
	kind  wire.ErrorKind
	after time.Duration
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// fromWire makes an error of what the host answered.
func fromWire(e *wire.Error) error {
	return &failure{err: e, kind: e.Kind, after: time.Duration(e.RetryAfterMS) * time.Millisecond}
}

// toWire renders a handler's error for the host. The outermost mark counts; the
// message is that of the whole chain. A refusal of the system, which is the
// sandbox, is one of the host's, unless it is marked.
func toWire(err error) *wire.Error {
	e := &wire.Error{Kind: wire.Retryable, Message: err.Error()}
	if f, ok := errors.AsType[*failure](err); ok {
		e.Kind, e.RetryAfterMS = f.kind, f.after.Milliseconds()
	} else if refused(err) {
		e.Kind, e.Message = wire.Denied, "the sandbox does not allow it: "+e.Message
	}
	return e
}

// refused tells whether err comes from a system call that the sandbox of a
// module or a process refuses: there are no files, programs, connections and
// other processes for a plugin.
func refused(err error) bool {
	errno, _ := errors.AsType[syscall.Errno](err)
	switch errno {
	case syscall.EPERM, syscall.EACCES, syscall.ENOSYS:
		return true
	case syscall.EBADF:
		return runtime.GOOS == "wasip1" // where every path is below a directory that is not there
	}
	return false
}
