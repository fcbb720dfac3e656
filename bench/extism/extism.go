package main

import (
	"context"
	"fmt"

	sdk "github.com/extism/go-sdk"

	"github.com/nexuscore/scheduler/bench/extism/order"
)

// extism is Extism's Go SDK with the guest in it.
type extism struct {
	compiled *sdk.CompiledPlugin
	kept     *sdk.Plugin
}

// newExtism compiles the guest. Without a timeout, in milliseconds, no run of it
// can be ended.
func newExtism(ctx context.Context, module []byte, timeout uint64) (*extism, error) {
	manifest := sdk.Manifest{
		Wasm:    []sdk.Wasm{sdk.WasmData{Data: module}},
		Memory:  &sdk.ManifestMemory{MaxPages: 1024},
		Timeout: timeout,
	}
	compiled, err := sdk.NewCompiledPlugin(ctx, manifest, sdk.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		return nil, err
	}
	e := &extism{compiled: compiled}
	if e.kept, err = e.instance(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *extism) close(ctx context.Context) {
	_ = e.kept.Close(context.WithoutCancel(ctx)) // the program ends
	_ = e.compiled.Close(context.WithoutCancel(ctx))
}

func (e *extism) instance(ctx context.Context) (*sdk.Plugin, error) {
	return e.compiled.Instance(ctx, sdk.PluginInstanceConfig{})
}

// callFresh is a run in an instance of its own, the one way in which Extism
// keeps runs apart.
func (e *extism) callFresh(ctx context.Context) ([]byte, error) {
	p, err := e.instance(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := call(ctx, p)
	if err != nil {
		return nil, err
	}
	return answer, p.Close(ctx)
}

// callReused is a run in the instance of all runs.
func (e *extism) callReused(ctx context.Context) ([]byte, error) { return call(ctx, e.kept) }

func call(ctx context.Context, p *sdk.Plugin) ([]byte, error) {
	status, answer, err := p.CallWithContext(ctx, "handle", []byte(order.Sample))
	if err != nil {
		return nil, err
	}
	if status != 0 {
		return nil, fmt.Errorf("status %d", status)
	}
	return append([]byte(nil), answer...), nil // it is in the instance's memory
}
