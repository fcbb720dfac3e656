package rabbitmq_test

import (
	"testing"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

func TestQueue(t *testing.T) {
	coretest.TestQueue(t, func(t testing.TB, capacity int) core.Queue {
		return newWorld(t).queue(func(c *rabbitmq.QueueConfig) { c.Capacity = capacity })
	})
}
