package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// instance is one run of a module.
type instance struct {
	caller host.Caller
	limits host.Limits
	memory guarded
	crash  crashText

	module  api.Module
	ctx     context.Context // of the run, for the calls into the module
	started bool            // _initialize returned
	pending []byte          // the answer that task.take fetches
}

type instanceKey struct{}

// attach makes the instance known to the host functions, which get ctx.
func (i *instance) attach(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(context.WithValue(ctx, instanceKey{}, i), &i.memory)
}

func instanceOf(ctx context.Context) *instance { return ctx.Value(instanceKey{}).(*instance) }

// handle gives the module its request and fetches its response.
func (i *instance) handle(request []byte) ([]byte, error) {
	if uint64(len(request)) > uint64(i.limits.Memory) {
		return nil, i.tooSmall(len(request))
	}
	at, err := i.call(exportAlloc, uint64(len(request)))
	if err != nil {
		return nil, err
	}
	if !i.module.Memory().Write(uint32(at), request) {
		return nil, misuse("%s answered %d, where %d bytes are not in its memory", exportAlloc, uint32(at), len(request))
	}
	packed, err := i.call(exportHandle, uint64(uint32(at)), uint64(len(request)))
	if err != nil {
		return nil, err
	}
	return i.fetch(exportHandle, packed, i.limits.Output)
}

// describe fetches the module's manifest.
func (i *instance) describe() ([]byte, error) {
	packed, err := i.call(exportDescribe)
	if err != nil {
		return nil, err
	}
	return i.fetch(exportDescribe, packed, host.MiB)
}

func (i *instance) call(name string, args ...uint64) (uint64, error) {
	results, err := i.module.ExportedFunction(name).Call(i.ctx, args...)
	if err != nil {
		return 0, err
	}
	return results[0], nil
}

// fetch copies an answer out of the module's memory, after looking at its size.
func (i *instance) fetch(from string, packed uint64, limit host.Size) ([]byte, error) {
	at, n := uint32(packed>>32), uint32(packed)
	if host.Size(n) > limit {
		return nil, &core.Failure{
			Code: core.CodePluginOutputLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("answered with %d bytes, more than %s (limit output)", n, limit),
		}
	}
	view, ok := i.module.Memory().Read(at, n)
	if !ok {
		return nil, misuse("%s answered %d bytes at %d, which are not in its memory", from, n, at)
	}
	return append([]byte(nil), view...), nil
}

func (i *instance) tooSmall(n int) error {
	return &core.Failure{
		Code: core.CodePluginMemoryLimit, Class: core.ClassRetryable,
		Message: fmt.Sprintf("a request of %d bytes does not fit into %s (limit memory)", n, i.limits.Memory),
	}
}

// misuse is a breach of the ABI. It counts as a trap: the module is broken.
func misuse(format string, args ...any) error {
	return &core.Failure{Code: core.CodePluginTrap, Class: core.ClassRetryable, Message: fmt.Sprintf(format, args...)}
}

// nobody is the caller of a run that may call nothing.
type nobody struct{}

var errNoCalls = errors.New("operations cannot be called while describing the plugin")

func (nobody) Call(context.Context, string, []byte) ([]byte, error) { return nil, errNoCalls }

func (nobody) Output(host.Stream, []byte) {}
