package hosttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Silence runs f and returns the longest time for which a goroutine that wants
// to do something every millisecond did not come to it. That goroutine stands
// for all that a server has to do beside its plugins.
func Silence(f func()) time.Duration {
	var longest time.Duration
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for last := time.Now(); ; {
			time.Sleep(time.Millisecond)
			now := time.Now()
			longest = max(longest, now.Sub(last)-time.Millisecond)
			last = now
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return longest
}

// pulse is how long a server may be silent while it is attacked.
const pulse = 20 * time.Millisecond

// KeepsPulse demands that a server is not silent for more than 20 ms while it is
// attacked. A busy machine silences every program that computes, so the best of
// ten tries counts; and a try counts that is no worse than twice what Go code
// does that computes as long and can be preempted.
func KeepsPulse(t testing.TB, attack func()) {
	t.Helper()
	const tries = 10
	for range tries {
		start := time.Now()
		silent := Silence(attack)
		took := time.Since(start)
		if silent <= pulse {
			return
		}
		usual := Silence(func() { compute(took) })
		t.Logf("the server was silent for %v of %v; harmless code makes it silent for %v", silent, took, usual)
		if silent <= 2*usual {
			return
		}
	}
	require.Fail(t, "the server stood still", "for more than %v in each of %d attacks", pulse, tries)
}

// compute keeps a processor busy for that long.
func compute(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}
