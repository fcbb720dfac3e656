package wasm_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/wasm"
)

// Runs are killed wherever they happen to be. Afterwards the memory has to be
// the image, to the byte, and the next run has to answer as the first.
func TestKillAndReset(t *testing.T) {
	rounds := 4000
	if testing.Short() {
		rounds = 400
	}
	r := newRuntime(t)
	p := loadGuest(t, r, hosttest.Guest)
	asked := [][]byte{
		request(t, `{"do": "echo", "text": "hello"}`), request(t, `{"do": "count"}`), request(t, `{"do": "memory", "n": 2}`),
		request(t, `{"do": "output", "n": 3000}`), request(t, `{"do": "recurse", "n": 15}`), request(t, `{"do": "unknown"}`),
	}
	count := asked[1]
	want, err := p.Handle(t.Context(), count, &caller{})
	require.NoError(t, err)

	random := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for round := range rounds {
		killed, reset, clean, err := wasm.Kill(t.Context(), p, asked[random.IntN(len(asked))], &caller{}, random.Int64N(3_000_000), round%8 == 0)
		require.NoError(t, err)
		require.True(t, reset, "round %d", round)
		require.True(t, clean, "round %d: memory or globals are not those of the image", round)
		if killed {
			kills++
		}
		if round%4 == 0 {
			got, err := p.Handle(t.Context(), count, &caller{})
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "round %d", round)
		}
	}
	require.Greater(t, kills, rounds/4)
	require.Equal(t, 1, wasm.Idle(p), "one instance did it all")
}

// The same on a kernel that cannot tell which pages were written.
func TestResetWithoutPagemap(t *testing.T) {
	r := newRuntimeWith(t, wasm.Config{CacheDir: cacheDir})
	wasm.WithoutPagemap(r)
	p := loadGuest(t, r, hosttest.Guest)
	for fuel := int64(1000); fuel < 4_000_000; fuel *= 3 {
		_, reset, clean, err := wasm.Kill(t.Context(), p, request(t, `{"do": "memory", "n": 2}`), &caller{}, fuel, true)
		require.NoError(t, err)
		require.True(t, reset)
		require.True(t, clean, "fuel %d", fuel)
	}
}
