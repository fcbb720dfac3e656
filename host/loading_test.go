package host_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestNothingIsKnownBeforeTheFirstLoad: what is asked for while plugins are
// being loaded is not wrong, it is early.
func TestNothingIsKnownBeforeTheFirstLoad(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	err := h.ValidateData("x", nil)
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err))
	require.ErrorContains(t, err, "plugins are being loaded")

	h.load(t)
	require.NoError(t, h.ValidateData("x", nil))
	require.Equal(t, core.CodeValidationFailed, core.CodeOf(h.ValidateData("y", nil)))
}
