package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// instance is a module with a memory of its own. It serves one run at a time.
type instance struct {
	module  api.Module
	memory  *space
	nested  *stack              // what calls run on
	globals []api.MutableGlobal // as loader.Module.Globals
	fuel    api.MutableGlobal

	alloc, handle api.Function
	stack         [2]uint64 // arguments and results of calls

	idleSince time.Duration // guarded by the pool, as is resting
	resting   bool
}

// bind looks up what the host uses of the module.
func (i *instance) bind(m *loader.Module) {
	for _, name := range m.Globals {
		i.globals = append(i.globals, i.module.ExportedGlobal(name).(api.MutableGlobal))
	}
	i.fuel = i.module.ExportedGlobal(loader.ExportFuel).(api.MutableGlobal)
	i.bindFunctions()
}

// shallow is how often a run may yield and leave the upper part of its stack to
// the next one. The pages that it has touched do not come back by themselves; to
// map them anew costs more than a short run should pay.
const shallow = 32

// bindFunctions makes the functions anew, on a stack that takes no memory.
func (i *instance) bindFunctions() {
	i.nested.relax()
	i.alloc = i.function(exportAlloc)
	i.handle = i.function(exportHandle)
}

// function returns a function of the module, nil if there is none.
func (i *instance) function(name string) api.Function {
	f := i.module.ExportedFunction(name)
	if f != nil {
		_ = i.nested.carry(f) // or it has the engine's own; Confinement says so
	}
	return f
}

// set sets the mutable globals.
func (i *instance) set(globals []uint64) {
	for at, g := range i.globals {
		g.Set(globals[at])
	}
}

// values reads the mutable globals.
func (i *instance) values() []uint64 {
	out := make([]uint64, len(i.globals))
	for at, g := range i.globals {
		out[at] = g.Get()
	}
	return out
}

// initialize runs the start function and then _initialize, whichever there is.
func (i *instance) initialize(ctx context.Context, start bool) error {
	if start {
		if err := i.function(loader.ExportStart).CallWithStack(ctx, nil); err != nil {
			return err
		}
	}
	if f := i.function(exportInit); f != nil {
		return f.CallWithStack(ctx, nil)
	}
	return nil
}

// serve gives the module its request and fetches its response.
func (i *instance) serve(ctx context.Context, request []byte, limits host.Limits) ([]byte, error) {
	if uint64(len(request)) > uint64(limits.Memory) {
		return nil, tooSmall(len(request), limits.Memory)
	}
	i.stack[0] = uint64(len(request))
	if err := i.alloc.CallWithStack(ctx, i.stack[:]); err != nil {
		return nil, err
	}
	at := uint32(i.stack[0])
	if !i.module.Memory().Write(at, request) {
		return nil, misuse("%s answered %d, where %d bytes are not in its memory", exportAlloc, at, len(request))
	}
	i.stack = [2]uint64{uint64(at), uint64(len(request))}
	if err := i.handle.CallWithStack(ctx, i.stack[:]); err != nil {
		return nil, err
	}
	return i.fetch(exportHandle, i.stack[0], limits.Output)
}

// describe fetches the module's manifest.
func (i *instance) describe(ctx context.Context) ([]byte, error) {
	if err := i.function(exportDescribe).CallWithStack(ctx, i.stack[:]); err != nil {
		return nil, err
	}
	return i.fetch(exportDescribe, i.stack[0], host.MiB)
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

func tooSmall(n int, limit host.Size) error {
	return &core.Failure{
		Code: core.CodePluginMemoryLimit, Class: core.ClassRetryable,
		Message: fmt.Sprintf("a request of %d bytes does not fit into %s (limit memory)", n, limit),
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

// Computed implements host.Caller.
func (nobody) Computed(time.Duration) {}
