package examples_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/host/process"
)

func init() { runIfChild = process.RunIfChild }

// newProcess makes a runtime with a directory whose path leaves room for sockets.
func newProcess(t testing.TB) host.Runtime {
	dir, err := os.MkdirTemp("", "p") //nolint:usetesting // T's carry the name of the test
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	r, err := process.New(process.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

func TestGoConformsAsAProcess(t *testing.T) {
	hosttest.TestConformance(t, hosttest.Candidate{
		Runtime: "process", New: newProcess, Path: hosttest.BuildProcess(t, goConformance), Shared: true,
	})
}
