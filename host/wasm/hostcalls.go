package wasm

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const (
	maxOperation = 64       // bytes of an operation's name
	maxArguments = 16 << 20 // bytes of an operation's frame
)

// instantiateHost adds the module "task" with its two functions. A panic in
// them ends the run: wazero unwinds the module and returns the error.
func instantiateHost(ctx context.Context, engine wazero.Runtime) error {
	_, err := engine.NewHostModuleBuilder(hostModule).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(taskCall), provided[importCall].params, provided[importCall].results).
		Export(importCall).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(taskTake), provided[importTake].params, provided[importTake].results).
		Export(importTake).
		Instantiate(ctx)
	return err
}

// taskCall is task.call(op, opLen, in, inLen) -> answerLen.
func taskCall(ctx context.Context, m api.Module, stack []uint64) {
	i := instanceOf(ctx)
	op := i.view(m, stack[0], stack[1], maxOperation, "operation name")
	in := i.view(m, stack[2], stack[3], maxArguments, "arguments")
	// The arguments are copied, because a caller may keep them, and the module
	// could change them under it through another goroutine.
	answer, err := i.perform(ctx, string(op), append([]byte(nil), in...))
	if err != nil {
		panic(err)
	}
	i.pending = answer
	stack[0] = uint64(len(answer))
}

// taskTake is task.take(ptr): it writes the answer of the last call.
func taskTake(ctx context.Context, m api.Module, stack []uint64) {
	i := instanceOf(ctx)
	at := uint32(stack[0])
	if !m.Memory().Write(at, i.pending) {
		panic(misuse("%s.%s: %d bytes at %d are not in the module's memory", hostModule, importTake, len(i.pending), at))
	}
	i.pending = nil
}

// perform refuses operations while the module starts: what happens there is
// not part of any run, and may one day be done once for many.
func (i *instance) perform(ctx context.Context, op string, in []byte) ([]byte, error) {
	if !i.started {
		return wire.Encode(wire.Reply{Error: &wire.Error{Kind: wire.Permanent, Message: "operations cannot be called from init functions"}}, nil)
	}
	return i.caller.Call(ctx, op, in)
}

// view returns bytes of the module's memory without copying them.
func (i *instance) view(m api.Module, at, n uint64, limit uint32, what string) []byte {
	if uint32(n) > limit {
		panic(misuse("%s.%s: %s of %d bytes, at most %d are allowed", hostModule, importCall, what, uint32(n), limit))
	}
	b, ok := m.Memory().Read(uint32(at), uint32(n))
	if !ok {
		panic(misuse("%s.%s: %s: %d bytes at %d are not in the module's memory", hostModule, importCall, what, uint32(n), uint32(at)))
	}
	return b
}

// output passes on what the module writes to a stream.
type output struct {
	i      *instance
	stream host.Stream
}

func (o output) Write(p []byte) (int, error) {
	if o.stream == host.Stderr {
		o.i.crash.write(p)
	}
	o.i.caller.Output(o.stream, p)
	return len(p), nil
}
