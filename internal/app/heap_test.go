package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/app"
)

func TestASmallHeapHasRoomWhenItIsBusyAndALargeOneTheUsualShare(t *testing.T) {
	for live, percent := range map[uint64]int{
		0: 400, 8 << 20: 400, 24 << 20: 400, 48 << 20: 200, 96 << 20: 100, 1 << 30: 100,
	} {
		require.Equal(t, percent, app.GCPercent(live, 50), "%d bytes", live)
		require.Equal(t, 100, app.GCPercent(live, 1), "%d bytes of an idle node", live)
	}
}
