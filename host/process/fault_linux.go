package process

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// fault says why the stream of a run broke. As a rule the process has ended; one
// that only hung up is killed. A program may also refuse by gRPC's means.
func (p *process) fault(err error) error {
	if code := status.Code(err); code != codes.Unavailable && !p.hasEnded() {
		return misuse("ended the run with %s: %s", code, status.Convert(err).Message())
	}
	late := time.NewTimer(lateExit)
	defer late.Stop()
	select {
	case <-p.command.ended:
	case <-late.C:
		p.kill("it broke its connection")
		<-p.command.ended
		return misuse("broke the connection: %s", status.Convert(err).Message())
	}
	if reason := p.killedFor(); reason != "" {
		return host.BystanderError{Failure: crashed("the plugin's process was ended: " + reason)}
	}
	f := crashed(withText("the plugin's process "+p.command.status, p.crashReason()))
	if p.outOfMemory() {
		f = &core.Failure{
			Code: core.CodePluginMemoryLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("the plugin's process needs more memory than %s (limit memory)", p.limits.Memory),
		}
	}
	if p.blamed.Swap(true) {
		return host.BystanderError{Failure: f} // the process has crashed once, not once for each run in it
	}
	return f
}

// unstartedError says that the program was not begun, for a reason that is the
// server's or the machine's: no directory, no descriptor, no process, no time.
// The starts are spaced all the same, and nothing is held against the plugin: what
// is wrong with a program shows when it is loaded.
type unstartedError struct{ error }

func unstarted(err error) error {
	return unstartedError{fmt.Errorf("the plugin's process could not be started on this machine: %w", err)}
}

func (e unstartedError) Unwrap() error { return e.error }

func crashed(message string) *core.Failure {
	return &core.Failure{Code: core.CodePluginCrashed, Class: core.ClassRetryable, Message: message}
}

// loadError takes the code of an execution off an error of the first start.
func loadError(err error) error {
	if f, ok := errors.AsType[*core.Failure](err); ok {
		return errors.New(f.Message)
	}
	return err
}
