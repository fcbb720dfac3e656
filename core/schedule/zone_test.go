package schedule_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

// The walk through a zone's periods relies on these facts, for every zone and
// every supported year: periods join up, hold one offset, move forward, and a
// change of the clock is far from its neighbours.
func TestZonePeriods(t *testing.T) {
	t.Parallel()
	names := zoneNames(t)
	require.Greater(t, len(names), 500)
	if testing.Short() {
		names = names[:60]
	}
	end := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for _, name := range names {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err, name)
		offset := func(sec int64) int64 { _, o := time.Unix(sec, 0).In(loc).Zone(); return int64(o) }
		lastJump, lastOff := int64(-1<<62), offset(0)
		for sec := int64(0); sec < end; {
			start, next, off := schedule.SpanAt(loc, sec)
			if start > sec || next <= sec || off != offset(sec) || max(off, -off) >= schedule.MaxOffset {
				t.Fatalf("%s: at %d a period from %d to %d, offset %d", name, sec, start, next, off)
			}
			if off != lastOff {
				if sec-lastJump < 3*86400 {
					t.Fatalf("%s: the clock changes at %d and again at %d", name, lastJump, sec)
				}
				lastJump, lastOff = sec, off
			}
			last := min(next, end) - 1
			if offset(last) != off || offset((sec+last)/2) != off {
				t.Fatalf("%s: the offset changes between %d and %d", name, sec, last)
			}
			sec = next
		}
	}
}

// The periods and the plain look at offsets agree on when clocks change.
func TestZoneChangesAreAllSeen(t *testing.T) {
	t.Parallel()
	set := everyZone()
	require.Greater(t, set.zones, 500)
	require.Greater(t, len(set.distinct), 5000)
	for _, c := range set.distinct {
		start, _, off := schedule.SpanAt(c.zone, c.at)
		_, end, before := schedule.SpanAt(c.zone, c.at-1)
		require.Equal(t, c.at, start, c.String())
		require.Equal(t, c.at, end, c.String())
		require.Equal(t, c.jump, off-before, c.String())
	}
}

func TestZoneNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Mars/Olympus":           `use an IANA name such as "Europe/Berlin"`,
		"Local":                  "it means a different zone on every machine",
		"local":                  "it means a different zone on every machine",
		"europe/berlin":          `did you mean "Europe/Berlin"?`,
		"AMERICA/NEW_YORK":       `did you mean "America/New_York"?`,
		"america/port-au-prince": `did you mean "America/Port-au-Prince"?`,
		"europe/isle_of_man":     `did you mean "Europe/Isle_of_Man"?`,
		"africa/dar_es_salaam":   `did you mean "Africa/Dar_es_Salaam"?`,
		"us/eastern":             `did you mean "US/Eastern"?`,
		"utc":                    `did you mean "UTC"?`,
		"etc/gmt+3":              `did you mean "Etc/GMT+3"?`,
		"../etc/passwd":          "it is not a known time zone",
		"/etc/localtime":         "it is not a known time zone",
		"Europe/Berlin ":         "it is not a known time zone",
	} {
		_, err := schedule.Compile(schedule.Config{Kind: schedule.KindManual, Timezone: name})
		require.ErrorContains(t, err, want, name)
		require.ErrorContains(t, err, "timezone ", name)
	}
	require.Equal(t, time.UTC, compile(t, schedule.Config{Kind: schedule.KindManual}).Location())
	require.Equal(t, "Europe/Berlin", compile(t, schedule.Config{Kind: schedule.KindManual, Timezone: "Europe/Berlin"}).Location().String())
}

// The binary carries its zones: in an empty root directory, with ZONEINFO
// pointing nowhere, a zone still loads. Where a new root is not allowed, only the
// environment is emptied.
func TestZonesAreEmbedded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "zonecheck")
	build := exec.Command("go", "build", "-o", program, "./testdata/zonecheck")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+os.Getenv("GOFLAGS"))
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	jailed := exec.Command("/zonecheck")
	jailed.Env, jailed.Dir = []string{"ZONEINFO=/nowhere"}, "/"
	jailed.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	if os.Getuid() != 0 {
		jailed.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		jailed.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	out, err = jailed.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Logf("no new root here (%v), checking with an empty environment only", err)
		bare := exec.Command(program)
		bare.Env = []string{"ZONEINFO=" + dir}
		out, err = bare.CombinedOutput()
	}
	require.NoError(t, err, string(out))
	require.Equal(t, "2026-03-08T03:00:00-04:00\n", string(out))
}
