//go:build linux

package process_test

import (
	"testing"

	"github.com/nexuscore/scheduler/host/hosttest"
)

func TestSwaps(t *testing.T) {
	first := program(t, hosttest.Versioned, "")
	hosttest.TestSwaps(t, "process", newRuntime(t), func(n int) []byte { return hosttest.Reversioned(first, n) })
}
