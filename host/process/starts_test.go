//go:build linux

package process_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/process"
)

// What the machine does not give is not held against the plugin: the run may be
// tried again, starts are spaced as after a crash, and all is well when the
// machine is.
func TestObstaclesOfTheMachineAreNoCrashes(t *testing.T) {
	tests := map[string]struct {
		obstruct func(*testing.T, *process.Runtime) (remove func())
		want     string
	}{
		"no directory": {func(t *testing.T, r *process.Runtime) func() {
			dir := process.SocketsOf(r)
			require.NoError(t, os.Rename(dir, dir+"-away"))
			return func() { require.NoError(t, os.Rename(dir+"-away", dir)) }
		}, "no such file or directory"},
		"no time": {func(_ *testing.T, r *process.Runtime) func() {
			process.Hurry(r, time.Nanosecond)
			return func() { process.Hurry(r, time.Minute) }
		}, "it could not be called within 1ns"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			r := newRuntimeWith(t, process.Config{Clock: clock})
			p := load(t, r, artifact(program(t, hostilePackage, "")))
			_, err := do(t.Context(), p, &caller{}, order{Do: "exit"})
			require.Equal(t, core.CodePluginCrashed, failureOf(t, err).Code)
			remove := test.obstruct(t, r)
			_, err = do(t.Context(), p, &caller{}, order{Do: "echo"})
			f := failureOf(t, err)
			require.Equal(t, core.CodePluginUnavailable, f.Code, f.Message)
			require.ErrorAs(t, err, new(host.NotBegunError))
			require.Contains(t, f.Message, "could not be started on this machine")
			require.Contains(t, f.Message, test.want)
			remove()
			_, err = do(t.Context(), p, &caller{}, order{Do: "echo"})
			require.Positive(t, failureOf(t, err).RetryAfter, "starts are spaced")
			require.ErrorAs(t, err, new(host.NotBegunError))
			clock.advance(process.MaxDelay)
			require.Equal(t, `"x"`, result(t, p, order{Do: "echo", Text: "x"}))
		})
	}
}

// A child that cannot execute the program says why, and not by its streams,
// which are the program's.
func TestAChildThatCannotExecute(t *testing.T) {
	p := hostile(t)
	_, err := do(t.Context(), p, &caller{}, order{Do: "exit"})
	require.Error(t, err)
	nothing, err := os.Open(os.DevNull)
	require.NoError(t, err)
	good := process.Replace(p, nothing)
	_, err = do(t.Context(), p, &caller{}, order{Do: "echo"})
	process.Replace(p, good)
	require.NoError(t, nothing.Close())
	f := failureOf(t, err)
	require.Equal(t, core.CodePluginUnavailable, f.Code, f.Message)
	require.Contains(t, f.Message, "confine plugin: execute plugin: permission denied")
}

// A program that was begun and does not answer is a crash as before.
func TestAProgramThatDoesNotStartAnyMoreHasCrashed(t *testing.T) {
	p := hostile(t)
	_, err := do(t.Context(), p, &caller{}, order{Do: "exit"})
	require.Error(t, err)
	other, err := process.Image(program(t, hostilePackage, "crash"))
	require.NoError(t, err)
	good := process.Replace(p, other)
	_, err = do(t.Context(), p, &caller{}, order{Do: "echo"})
	process.Replace(p, good)
	require.NoError(t, other.Close())
	require.Equal(t, core.CodePluginCrashed, failureOf(t, err).Code)
	require.ErrorContains(t, err, "panic: not today")
}
