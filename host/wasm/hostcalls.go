package wasm

import (
	"context"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nexuscore/scheduler/sdk/wire"
)

const (
	maxOperation = 64       // bytes of an operation's name
	maxArguments = 16 << 20 // bytes of an operation's frame
)

// instantiateHost adds the module "task" with its two functions. A panic in
// them ends the run: the engine unwinds the module and returns the error.
func instantiateHost(ctx context.Context, engine wazero.Runtime) error {
	_, err := engine.NewHostModuleBuilder(hostModule).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(taskCall), provided[importCall].Params, provided[importCall].Results).
		Export(importCall).
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(taskTake), provided[importTake].Params, provided[importTake].Results).
		Export(importTake).
		Instantiate(ctx)
	return err
}

// taskCall is task.call(op, opLen, in, inLen) -> answerLen.
func taskCall(ctx context.Context, m api.Module, stack []uint64) {
	r := runOf(ctx)
	op := string(view(m, stack[0], stack[1], maxOperation, "operation name"))
	// The arguments are copied, because a caller may keep them.
	in := append([]byte(nil), view(m, stack[2], stack[3], maxArguments, "arguments")...)
	r.charge(copyCost(len(in)))
	answer, err := r.perform(ctx, op, in)
	if err != nil {
		panic(err)
	}
	r.pending = answer
	stack[0] = uint64(len(answer))
}

// taskTake is task.take(ptr): it writes the answer of the last call.
func taskTake(ctx context.Context, m api.Module, stack []uint64) {
	r := runOf(ctx)
	at := uint32(stack[0])
	if !m.Memory().Write(at, r.pending) {
		panic(misuse("%s.%s: %d bytes at %d are not in the module's memory", hostModule, importTake, len(r.pending), at))
	}
	r.pending = nil
}

// perform refuses operations while the module starts: what happens there is
// part of no run, and is done once for many.
func (r *run) perform(ctx context.Context, op string, in []byte) (answer []byte, err error) {
	if !r.started {
		return wire.Encode(wire.Reply{Error: &wire.Error{Kind: wire.Permanent, Message: "operations cannot be called from init functions"}}, nil)
	}
	r.wait(ctx, func() { answer, err = r.caller.Call(ctx, op, in) })
	return answer, err
}

// view returns bytes of the module's memory without copying them.
func view(m api.Module, at, n uint64, limit uint32, what string) []byte {
	if uint32(n) > limit {
		panic(misuse("%s.%s: %s of %d bytes, at most %d are allowed", hostModule, importCall, what, uint32(n), limit))
	}
	b, ok := m.Memory().Read(uint32(at), uint32(n))
	if !ok {
		panic(misuse("%s.%s: %s: %d bytes at %d are not in the module's memory", hostModule, importCall, what, uint32(n), uint32(at)))
	}
	return b
}
