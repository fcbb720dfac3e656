package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/bench/extism/order"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// scheduler is the scheduler's runtime with the guest in it, as the service
// makes it.
type scheduler struct {
	runtime *wasm.Runtime
	plugin  host.Plugin
	request []byte
}

func newScheduler(ctx context.Context, module []byte) (*scheduler, error) {
	runtime, err := wasm.New(wasm.Config{})
	if err != nil {
		return nil, err
	}
	plugin, err := runtime.Load(ctx, host.Artifact{
		Type: "order", Bytes: module, Logger: hclog.NewNullLogger(),
		Limits: host.Limits{Memory: 64 * host.MiB, Output: host.MiB, Timeout: time.Minute, Concurrency: instances},
	})
	if err != nil {
		return nil, err
	}
	return &scheduler{runtime: runtime, plugin: plugin, request: request(order.Sample)}, nil
}

func (s *scheduler) close(ctx context.Context) {
	_ = s.plugin.Close(context.WithoutCancel(ctx)) // the program ends
	_ = s.runtime.Close(context.WithoutCancel(ctx))
}

// call is one run, from the frame that goes in to the one that comes out.
func (s *scheduler) call(ctx context.Context) ([]byte, error) {
	frame, err := s.plugin.Handle(ctx, s.request, deaf{})
	if err != nil {
		return nil, err
	}
	return result(frame)
}

// hold makes the plugin have so many idle instances: as many runs meet in an
// operation.
func (s *scheduler) hold(ctx context.Context, n int) error {
	var all sync.WaitGroup
	g := &gate{}
	g.arrived.Add(n)
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { _, errs[i] = s.plugin.Handle(ctx, request(`{"attempt": -1}`), g) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// request is the frame that a run of the guest begins with.
func request(data string) []byte {
	frame, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON}, []byte(data))
	if err != nil {
		panic(err) // the header has nothing that could be wrong
	}
	return frame
}

// result takes the answer out of a run's frame.
func result(frame []byte) ([]byte, error) {
	var response wire.Response
	answer, err := wire.Decode(frame, &response)
	if err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, fmt.Errorf("run: %w", response.Error)
	}
	return answer, nil
}

// deaf answers every operation with nothing.
type deaf struct{}

func (deaf) Call(context.Context, string, []byte) ([]byte, error) {
	return wire.Encode(wire.Reply{}, nil)
}

func (deaf) Output(host.Stream, []byte) {}

func (deaf) Computed(time.Duration) {}

// gate lets runs go on together.
type gate struct {
	deaf
	arrived sync.WaitGroup
}

func (g *gate) Call(ctx context.Context, op string, in []byte) ([]byte, error) {
	g.arrived.Done()
	g.arrived.Wait()
	return g.deaf.Call(ctx, op, in)
}
