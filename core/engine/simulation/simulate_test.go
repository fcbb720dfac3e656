package simulation

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// seedsOf says which seeds to run: SIMULATE_SEEDS of them from SIMULATE_SEED on.
func seedsOf(t *testing.T) (first uint64, n int) {
	t.Helper()
	first, n = 1, 4
	if testing.Short() {
		n = 2
	}
	if s := os.Getenv("SIMULATE_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "SIMULATE_SEED")
		first, n = seed, 1
	}
	if s := os.Getenv("SIMULATE_SEEDS"); s != "" {
		seeds, err := strconv.Atoi(s)
		require.NoError(t, err, "SIMULATE_SEEDS")
		n = seeds
	}
	return first, n
}

// inBubble runs one seed in a bubble of its own.
func inBubble(t *testing.T, seed uint64, v variant) (violation string, moves map[string]int) {
	t.Helper()
	// A panic in an engine ends the process: only what is written by then tells
	// the seed. Go shows it when the package fails, and not otherwise.
	fmt.Fprintf(os.Stderr, "%s: SIMULATE_SEED=%d\n", t.Name(), seed)
	synctest.Test(t, func(*testing.T) { violation, moves = simulate(seed, v) })
	return violation, moves
}

func TestSimulation(t *testing.T) {
	first, n := seedsOf(t)
	var mu sync.Mutex
	all := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for i := range n {
			seed := first + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				violation, moves := inBubble(t, seed, variant{})
				require.Empty(t, violation, "run again with SIMULATE_SEED=%d", seed)
				mu.Lock()
				defer mu.Unlock()
				for move, times := range moves {
					all[move] += times
				}
			})
		}
	})
	for _, move := range slices.Sorted(maps.Keys(all)) {
		t.Logf("%8d  %s", all[move], move)
	}
	if n >= 20 {
		requireMoves(t, all)
	}
}

// requireMoves demands that the simulation goes where it is dangerous: one that
// never loses a lease proves nothing about lost leases.
func requireMoves(t *testing.T, all map[string]int) {
	t.Helper()
	for _, move := range []string{
		"plan: →pending", "plan: →missed", "plan: →skipped", "plan: pending→cancelled",
		"submit: →pending", "cancel: queued→cancelled", "cancel: pending→cancelled", "delete: pending→cancelled",
		"judge: pending→failed", "judge: pending→skipped",
		"mark: pending→queued", "mark: retrying→queued", "unqueue: queued→pending",
		"claim: pending→running", "claim: queued→running", "claim: retrying→running", "claim: queued→pending",
		"finish: running→succeeded", "finish: running→failed", "finish: running→cancelled",
		"finish: running→retrying", "finish: running→pending", "finish: running→lost",
		"reap: running→retrying", "reap: running→lost", "reap: running→cancelled",
	} {
		require.Positive(t, all[move], "no seed has seen %s", move)
	}
}
