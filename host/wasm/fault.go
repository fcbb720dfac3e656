package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/nexuscore/scheduler/core"
)

// maxFault bounds the text of a trap in bytes.
const maxFault = 2 << 10

// fault says how a run ended badly. A failure that the host made passes as it
// is; when ctx ended, so did the run, and the host reads the reason from ctx.
func (p *plugin) fault(ctx context.Context, i *instance, r *run, err error) error {
	if f, ok := errors.AsType[*core.Failure](err); ok {
		return f
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := r.crash.text()
	if i.memory.refused || outOfMemory(text) {
		return &core.Failure{
			Code: core.CodePluginMemoryLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("needs more memory than %s (limit memory)", p.limits.Memory),
		}
	}
	if text == "" {
		text = trapText(err)
	}
	return &core.Failure{Code: core.CodePluginTrap, Class: core.ClassRetryable, Message: bounded(text)}
}

// outOfMemory recognizes how Go, C++ and Rust programs say it.
func outOfMemory(text string) bool {
	for _, sign := range []string{"out of memory", "cannot allocate memory", "std::bad_alloc", "memory allocation of"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// trapText renders an error of the engine without its stack trace.
func trapText(err error) string {
	if exit, ok := errors.AsType[*sys.ExitError](err); ok {
		return fmt.Sprintf("exited with status %d before it answered", exit.ExitCode())
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(strings.TrimPrefix(first, "wasm error: "), " (recovered by wazero)")
}

func bounded(text string) string {
	if len(text) > maxFault {
		text = text[:maxFault] + "… (cut)"
	}
	return strings.ToValidUTF8(text, "")
}

// crashText keeps the end of what a program wrote to its standard error, where
// a crashing runtime says why.
type crashText struct {
	tail []byte
}

const maxCrashText = 32 << 10

func (c *crashText) write(p []byte) {
	if len(p) >= maxCrashText {
		p = p[len(p)-maxCrashText:]
		c.tail = c.tail[:0]
	}
	if over := len(c.tail) + len(p) - maxCrashText; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	c.tail = append(c.tail, p...)
}

// text finds the reason of the crash: a Go panic without its stack, or the last
// line.
func (c *crashText) text() string {
	for _, mark := range []string{"panic: ", "fatal error: "} {
		if at := bytes.LastIndex(c.tail, []byte(mark)); at >= 0 {
			reason, _, _ := bytes.Cut(c.tail[at:], []byte("\n\ngoroutine "))
			return strings.TrimSpace(string(reason))
		}
	}
	lines := bytes.Split(bytes.TrimSpace(c.tail), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}
