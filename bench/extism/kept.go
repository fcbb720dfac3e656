package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nexuscore/scheduler/bench/extism/order"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// kept is the unsafe way to be fast: the module as the scheduler rewrites it, in
// one instance that serves every run and keeps what each of them left there. A
// host can do little less for a run than this: it measures nothing, has no
// limits but the deadline, and waits for nobody.
type kept struct {
	engine        wazero.Runtime
	module        api.Module
	alloc, handle api.Function
	request       []byte
}

// slice is the fuel between two looks at the deadline, half a millisecond or so.
const slice = 1 << 20

func newKept(ctx context.Context, module []byte) (*kept, error) {
	m, err := loader.Load(module)
	if err != nil {
		return nil, err
	}
	k := &kept{engine: wazero.NewRuntime(ctx), request: request(order.Sample)}
	if err := k.provide(ctx); err != nil {
		return nil, err
	}
	if k.module, err = k.engine.InstantiateWithConfig(ctx, m.Bytes, wazero.NewModuleConfig().WithStartFunctions()); err != nil {
		return nil, err
	}
	for _, s := range m.Data {
		if !k.module.Memory().Write(s.Offset, s.Bytes) {
			return nil, errors.New("a data segment lies outside of the memory")
		}
	}
	refill(k.module)
	if _, err := k.module.ExportedFunction("_initialize").Call(ctx); err != nil {
		return nil, err
	}
	k.alloc, k.handle = k.module.ExportedFunction("task_alloc"), k.module.ExportedFunction("task_handle")
	return k, nil
}

// provide adds what the module imports.
func (k *kept) provide(ctx context.Context) error {
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, k.engine); err != nil {
		return err
	}
	yield := func(ctx context.Context, m api.Module, _ []uint64) {
		if ctx.Err() != nil {
			panic(ctx.Err())
		}
		refill(m)
	}
	none := func(context.Context, api.Module, []uint64) { panic(errors.New("the guest calls no operation")) }
	_, err := k.engine.NewHostModuleBuilder(loader.Namespace).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(yield), nil, nil).Export(loader.Yield).Instantiate(ctx)
	if err != nil {
		return err
	}
	i32 := api.ValueTypeI32
	_, err = k.engine.NewHostModuleBuilder("task").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(none), []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}).Export("call").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(none), []api.ValueType{i32}, nil).Export("take").
		Instantiate(ctx)
	return err
}

func refill(m api.Module) { m.ExportedGlobal(loader.ExportFuel).(api.MutableGlobal).Set(slice) }

func (k *kept) close(ctx context.Context) { _ = k.engine.Close(context.WithoutCancel(ctx)) } // the program ends

// call is one run.
func (k *kept) call(ctx context.Context) ([]byte, error) {
	var stack [2]uint64
	stack[0] = uint64(len(k.request))
	if err := k.alloc.CallWithStack(ctx, stack[:]); err != nil {
		return nil, err
	}
	at := uint32(stack[0])
	if !k.module.Memory().Write(at, k.request) {
		return nil, errors.New("the request does not fit")
	}
	stack = [2]uint64{uint64(at), uint64(len(k.request))}
	if err := k.handle.CallWithStack(ctx, stack[:]); err != nil {
		return nil, err
	}
	view, ok := k.module.Memory().Read(uint32(stack[0]>>32), uint32(stack[0]))
	if !ok {
		return nil, fmt.Errorf("an answer at %d that is not in the memory", stack[0]>>32)
	}
	return result(append([]byte(nil), view...))
}
