package schedule_test

import (
	"archive/zip"
	"fmt"
	"go/build"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// change is an instant at which a zone's offset changes.
type change struct {
	zone *time.Location
	at   int64 // unix seconds
	jump int64 // seconds; negative when the clock is put back
}

func (c change) String() string {
	return fmt.Sprintf("%s %s jump %ds", c.zone, time.Unix(c.at, 0).UTC().Format(time.RFC3339), c.jump)
}

// zoneNames lists every IANA zone that this Go release knows.
func zoneNames(tb testing.TB) []string {
	tb.Helper()
	archive, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	require.NoError(tb, err)
	defer func() { require.NoError(tb, archive.Close()) }()
	var names []string
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	return names
}

// changesOf finds the changes of one zone by looking at its offset every other
// day and halving, which asks nothing of the time package but offsets.
func changesOf(loc *time.Location, from, to time.Time) []change {
	const stride = int64(48 * 3600)
	offset := func(sec int64) int {
		_, off := time.Unix(sec, 0).In(loc).Zone()
		return off
	}
	var found []change
	last := offset(from.Unix())
	for sec := from.Unix(); sec < to.Unix(); sec += stride {
		next := offset(sec + stride)
		if next == last {
			continue
		}
		low, high := sec, sec+stride
		for high-low > 1 {
			if middle := (low + high) / 2; offset(middle) == last {
				low = middle
			} else {
				high = middle
			}
		}
		found = append(found, change{zone: loc, at: high, jump: int64(next - last)})
		last = next
	}
	return found
}

// zoneSet is every zone with its changes from 2000 to 2040.
type zoneSet struct {
	zones    int
	all      []change
	distinct []change // without zones that are another name for the same clock
	clocks   int
}

var everyZone = sync.OnceValue(func() zoneSet {
	var set zoneSet
	seen := map[string]bool{}
	from, to := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range zoneNames(&testing.T{}) {
		loc, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		changes := changesOf(loc, from, to)
		set.zones++
		set.all = append(set.all, changes...)
		var key strings.Builder
		_, off := from.In(loc).Zone()
		fmt.Fprint(&key, off)
		for _, c := range changes {
			fmt.Fprint(&key, " ", c.at, c.jump)
		}
		if !seen[key.String()] {
			seen[key.String()] = true
			set.clocks++
			set.distinct = append(set.distinct, changes...)
		}
	}
	return set
})
