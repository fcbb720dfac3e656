package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector runs when the heap has grown by a share of what lives in it,
// which for the small heap of a scheduler is every few milliseconds of a busy
// node: a third of its processor time. So a small heap may grow by heapHeadroom
// first, and a large one by its own size, as usual.
const (
	heapHeadroom  = 96 << 20
	maxGCPercent  = 400
	usualPercent  = 100
	heapLookEvery = 5 * time.Second
)

// gcPercent is the collector's percentage for a heap of so many live bytes.
func gcPercent(live uint64) int {
	return int(min(maxGCPercent, max(usualPercent, heapHeadroom*100/max(live, 1))))
}

// keepHeadroom sets the collector's percentage until ctx ends. Whoever has set
// GOGC knows better; GOMEMLIMIT holds beside it.
func keepHeadroom(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	look := time.NewTicker(heapLookEvery)
	defer look.Stop()
	for {
		metrics.Read(live)
		debug.SetGCPercent(gcPercent(live[0].Value.Uint64()))
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}
