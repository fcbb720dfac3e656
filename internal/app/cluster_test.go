package app_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// A broker that answers is not said to be away, and an address is not shown.
func TestHealthNamesTheTypesThatAreNotConsumed(t *testing.T) {
	trouble := &rabbitmq.NotConsumedError{Types: []string{"a", "b"}, Reason: "why"}
	require.EqualError(t, app.Spoken(fmt.Errorf("check: %w", trouble)), "task types are not consumed: a, b (why)")
	require.EqualError(t, app.Spoken(errors.New("dial amqp://u:hunter2@host")), "does not answer")
}
