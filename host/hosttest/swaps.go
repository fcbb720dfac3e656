package hosttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
)

// Versioned is a program that answers with its version, VersionOf(0).
const Versioned = "github.com/nexuscore/scheduler/host/hosttest/versioned"

// VersionOf is the version of the n-th program of TestSwaps. All are as long.
func VersionOf(n int) string { return fmt.Sprintf("1.0.%06d", 777_000+n) }

// Reversioned puts the n-th version into the bytes of Versioned.
func Reversioned(program []byte, n int) []byte {
	return bytes.ReplaceAll(program, []byte(VersionOf(0)), []byte(VersionOf(n)))
}

// TestSwaps puts a hundred versions of a plugin in place of each other while it
// runs, and rolls each of them back and forth. program makes the n-th, which is
// called versioned, has the version VersionOf(n) and answers with it. No run
// fails, and each is done by the version that it is reported with, which was in
// force meanwhile. A rollback takes less than a second.
func TestSwaps(t *testing.T, name string, runtime host.Runtime, program func(n int) []byte) {
	s := &swaps{house: filepath.Join(t.TempDir(), "plugins.yaml"), program: program}
	require.NoError(t, os.WriteFile(s.house, fmt.Appendf(nil, "plugins:\n  - {type: versioned, runtime: %s, source: program}\n", name), 0o600))
	s.deploy(t, 0)
	s.begin(0)
	s.host = host.New(host.Config{Path: s.house, Runtimes: map[string]host.Runtime{name: runtime}})
	t.Cleanup(func() { require.NoError(t, s.host.Close(context.Background())) })
	require.NoError(t, s.host.Load(t.Context()))

	const callers, rounds = 3, 100
	var done atomic.Bool
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for !done.Load() {
				s.run(t)
			}
		})
	}
	var slowest time.Duration
	for n := range rounds {
		s.deploy(t, n+1)
		s.swap(n, n+1, func() { require.NoError(t, s.host.Reload(t.Context())) })
		slowest = max(slowest, s.swap(n+1, n, func() { require.NoError(t, s.host.Rollback("versioned")) }))
		slowest = max(slowest, s.swap(n, n+1, func() { require.NoError(t, s.host.Rollback("versioned")) }))
		before := s.runs.Load()
		require.Eventually(t, func() bool { return s.runs.Load() > before+callers }, time.Minute, time.Millisecond, "runs go on")
	}
	done.Store(true)
	all.Wait()
	t.Logf("%d swaps, %d rollbacks, %d runs, %d failed, %d misrouted; the slowest rollback took %v",
		rounds, 2*rounds, s.runs.Load(), s.failed.Load(), s.misrouted.Load(), slowest)
	require.Zero(t, s.failed.Load())
	require.Zero(t, s.misrouted.Load())
	require.Less(t, slowest, time.Second)
}

// swaps is a plugin that is swapped while it runs.
type swaps struct {
	host    *host.Host
	house   string // path of plugins.yaml
	program func(n int) []byte

	runs, failed, misrouted atomic.Int64

	mu      sync.Mutex
	inForce []reign
}

// reign is when a version may have been in force.
type reign struct {
	version  string
	from, to time.Time // to is zero while it lasts
}

func (s *swaps) deploy(t *testing.T, n int) {
	path := filepath.Join(filepath.Dir(s.house), "program")
	require.NoError(t, os.WriteFile(path+".new", s.program(n), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// swap puts a version in the place of another and returns how long it took.
func (s *swaps) swap(from, to int, f func()) time.Duration {
	s.begin(to)
	start := time.Now()
	f()
	took := time.Since(start)
	s.end(from)
	return took
}

func (s *swaps) begin(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inForce = append(s.inForce, reign{version: VersionOf(n), from: time.Now()})
}

func (s *swaps) end(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.inForce {
		if r := &s.inForce[i]; r.version == VersionOf(n) && r.to.IsZero() {
			r.to = time.Now()
		}
	}
}

// reigned tells whether a version may have been in force since then.
func (s *swaps) reigned(version string, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.inForce {
		if r.version == version && (r.to.IsZero() || r.to.After(since)) {
			return true
		}
	}
	return false
}

// run runs the plugin once, and counts what went wrong.
func (s *swaps) run(t *testing.T) {
	start := time.Now()
	out, err := s.host.Invoke(t.Context(), invocation(t, "versioned", order{}))
	s.runs.Add(1)
	if err != nil {
		s.failed.Add(1)
		t.Log(err)
		return
	}
	var version string
	if json.Unmarshal(out.Result, &version) != nil || out.Plugin != "versioned@"+version || !s.reigned(version, start) {
		s.misrouted.Add(1)
		t.Logf("%s answered %s", out.Plugin, out.Result)
	}
}
