package memory_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestSignals(t *testing.T) {
	coretest.TestSignals(t, func(testing.TB) core.Signals { return memory.NewSignals() })
}

func TestSignalsKeepTheNewest(t *testing.T) {
	s := memory.NewSignals()
	ch, end := s.Subscribe()
	for i := range 1000 {
		s.Send(t.Context(), core.Signal{Kind: core.SignalFinished, ExecutionID: fmt.Sprint(i)})
	}
	end()
	var got []string
	for signal := range ch { // the end closes the channel
		got = append(got, signal.ExecutionID)
	}
	require.Len(t, got, 256)
	require.Equal(t, "744", got[0])
	require.Equal(t, "999", got[255])
}
