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
// node: a third of its processor time. So the heap of a busy node may grow by
// heapHeadroom first, though to no more than five times its size; a heap that is
// larger grows by its own size, as usual. An idle node stays small.
const (
	heapHeadroom  = 96 << 20
	maxGCPercent  = 400
	usualPercent  = 100
	heapLookEvery = 5 * time.Second
	busyCycles    = 2 // of the collector between two looks
)

// gcPercent is the collector's percentage for a heap of so many live bytes, after
// so many cycles since the last look.
func gcPercent(live, cycles uint64) int {
	if cycles < busyCycles {
		return usualPercent
	}
	return int(min(maxGCPercent, max(usualPercent, heapHeadroom*100/max(live, 1))))
}

// keepHeadroom sets the collector's percentage until ctx ends. Whoever has set
// GOGC knows better; GOMEMLIMIT holds beside it.
func keepHeadroom(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	seen := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	look := time.NewTicker(heapLookEvery)
	defer look.Stop()
	metrics.Read(seen)
	percent := usualPercent
	defer func() { debug.SetGCPercent(usualPercent) }()
	for {
		cycles := seen[1].Value.Uint64()
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		metrics.Read(seen)
		if next := gcPercent(seen[0].Value.Uint64(), seen[1].Value.Uint64()-cycles); next != percent { // setting it stops the world
			percent = next
			debug.SetGCPercent(percent)
		}
	}
}
