package wasm

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// plugin is a compiled module. It implements host.Plugin.
type plugin struct {
	engine   wazero.Runtime
	compiled wazero.CompiledModule
	release  func(context.Context) // of the compiled code
	loaded   *loader.Module
	template template
	pool     pool
	slots    *slots
	limits   host.Limits
	logger   hclog.Logger
	held     map[string]string

	// perRun tells that every run has an instance of its own, which runs
	// _initialize: it was asked for, or the module has state that cannot be saved.
	perRun bool
}

// Describe implements host.Plugin. Operations end the run.
func (p *plugin) Describe(ctx context.Context) ([]byte, error) {
	if _, ok := p.loaded.Function(exportDescribe); !ok {
		return nil, nil
	}
	return p.do(ctx, nobody{}, (*instance).describe)
}

// Handle implements host.Plugin. The goroutine is the module's: nothing is left
// behind when Handle returns.
func (p *plugin) Handle(ctx context.Context, request []byte, caller host.Caller) ([]byte, error) {
	return p.do(ctx, caller, func(i *instance, ctx context.Context) ([]byte, error) {
		return i.serve(ctx, request, p.limits)
	})
}

// Close implements host.Plugin.
func (p *plugin) Close(ctx context.Context) error {
	p.pool.close()
	if p.template.image != nil {
		p.template.image.close()
	}
	err := p.engine.Close(ctx)
	p.release(ctx)
	if err != nil {
		return fmt.Errorf("close engine: %w", err)
	}
	return nil
}

// do runs f on a clean instance.
func (p *plugin) do(ctx context.Context, caller host.Caller, f func(*instance, context.Context) ([]byte, error)) (frame []byte, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	i := p.pool.take()
	if i == nil {
		if i, err = p.newInstance(ctx); err != nil {
			return nil, err
		}
	}
	r := p.newRun(i, caller)
	err = r.compute(ctx, func(ctx context.Context) error {
		if p.perRun {
			if err := i.initialize(ctx, p.loaded.Start); err != nil {
				return err
			}
		}
		r.started = true
		frame, err = f(i, ctx)
		return err
	})
	caller.Computed(r.meter.used)
	if err != nil {
		r.failed = true
		frame, err = nil, p.fault(ctx, i, r, err)
	}
	if p.reset(i, r) {
		p.pool.give(i)
	} else {
		i.close()
	}
	return frame, err
}

// Confinement implements host.Confined.
func (p *plugin) Confinement() map[string]string { return maps.Clone(p.held) }

func (p *plugin) newRun(i *instance, caller host.Caller) *run {
	return &run{caller: caller, slots: p.slots, fuel: i.fuel, meter: meter{limit: p.limits.CPU}}
}

var (
	_ host.Plugin   = (*plugin)(nil)
	_ host.Confined = (*plugin)(nil)
)
