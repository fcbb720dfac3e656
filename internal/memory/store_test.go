package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	coretest.TestStore(t, func(_ testing.TB, clock core.Clock) core.Store {
		return memory.NewStore(clock)
	})
}
