package wasm_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host/wasm"
)

// gate is a caller that lets runs go on together.
type gate struct {
	caller
	arrived sync.WaitGroup
}

func (g *gate) Call(context.Context, string, []byte) ([]byte, error) {
	g.arrived.Done()
	g.arrived.Wait()
	return []byte("\x02\x00\x00\x00{}"), nil
}

// Runs that wait in an operation take no slot, and each has an instance. Those
// that are left are dropped to a few after a while, and rest.
func TestInstancesAreReusedAndDropped(t *testing.T) {
	const runs = 6
	a := assembled()
	a.imports, a.handle = both, code(callTask(4, 2, 0, 0), okay)
	r := newRuntimeWith(t, wasm.Config{Computing: 1})
	p := load(t, r, a.bytes())
	g := &gate{}
	g.arrived.Add(runs)
	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			if _, err := p.Handle(t.Context(), nil, g); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, runs, wasm.Idle(p))

	require.Equal(t, 2, wasm.Rest(p))
	g.arrived.Add(1)
	_, err := p.Handle(t.Context(), nil, g)
	require.NoError(t, err, "a rested instance runs as before")
	require.Equal(t, 2, wasm.Idle(p))
}

// With one slot two computing runs take turns: the short one does not wait for
// the end of the endless one, and a run whose time is up does not wait at all.
func TestComputingRunsTakeTurns(t *testing.T) {
	r := newRuntimeWith(t, wasm.Config{Computing: 1})
	long, short := load(t, r, endless()["loop"]), load(t, r, assembled().bytes())
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _, _ = long.Handle(ctx, nil, &caller{}) })
	time.Sleep(20 * time.Millisecond)
	for range 10 {
		done, stop := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := short.Handle(done, nil, &caller{})
		stop()
		require.NoError(t, err)
	}
	cancel()
	all.Wait()
}
