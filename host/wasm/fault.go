package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/nexuscore/scheduler/core"
)

// fault says how a run ended badly. A failure that the host made passes as it
// is; when ctx ended, so did the run, and the host reads the reason from ctx.
func (p *plugin) fault(ctx context.Context, i *instance, r *run, err error) error {
	if f, ok := errors.AsType[*core.Failure](err); ok {
		return f
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if i.memory.refused || r.crash.OutOfMemory() {
		return &core.Failure{
			Code: core.CodePluginMemoryLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("needs more memory than %s (limit memory)", p.limits.Memory),
		}
	}
	if err.Error() == overflow {
		return tooDeep()
	}
	text := r.crash.Reason()
	if text == "" {
		text = trapText(err)
	}
	return &core.Failure{Code: core.CodePluginTrap, Class: core.ClassRetryable, Message: text}
}

// trapText renders an error of the engine without its stack trace.
func trapText(err error) string {
	if exit, ok := errors.AsType[*sys.ExitError](err); ok {
		return fmt.Sprintf("exited with status %d before it answered", exit.ExitCode())
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(strings.TrimPrefix(first, "wasm error: "), " (recovered by wazero)")
}
