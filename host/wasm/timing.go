package wasm

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// The clocks of the system.
const (
	clockRealtime = iota
	clockMonotonic
)

// clockNow reads a clock in nanoseconds.
func clockNow(clock uint32) (ns uint64, ok bool) {
	switch clock {
	case clockRealtime:
		return uint64(now().UnixNano()), true
	case clockMonotonic:
		return uint64(sinceStart()), true
	}
	return 0, false
}

// clockTime is clock_time_get(clock, precision, *time).
func clockTime(_ context.Context, m api.Memory, args []uint64) errno {
	ns, ok := clockNow(uint32(args[0]))
	if !ok {
		return inval
	}
	if !m.WriteUint64Le(uint32(args[2]), ns) {
		return fault
	}
	return success
}

// clockResolution is clock_res_get(clock, *resolution).
func clockResolution(_ context.Context, m api.Memory, args []uint64) errno {
	if uint32(args[0]) > clockMonotonic {
		return inval
	}
	if !m.WriteUint64Le(uint32(args[1]), uint64(time.Microsecond)) {
		return fault
	}
	return success
}

// maxRandom is how much one call gives; it is within the time between yields.
const maxRandom = 64 << 10

// randomGet is random_get(*buf, n).
func randomGet(ctx context.Context, m api.Memory, args []uint64) errno {
	buf, ok := m.Read(uint32(args[0]), uint32(args[1]))
	if !ok {
		return fault
	}
	for len(buf) > 0 {
		n := min(len(buf), maxRandom)
		runOf(ctx).charge(copyCost(n))
		if _, err := rand.Read(buf[:n]); err != nil { // crypto/rand never fails
			return nosys
		}
		if buf = buf[n:]; len(buf) > 0 {
			runOf(ctx).yield(ctx)
		}
	}
	return success
}

// procExit is proc_exit(code). It ends the run and leaves the instance open, so
// that it can be put back.
func procExit(_ context.Context, _ api.Memory, args []uint64) errno {
	panic(sys.NewExitError(uint32(args[0])))
}

// Layout of poll_oneoff's subscriptions and events.
const (
	subscriptionSize = 48
	eventSize        = 32
	maxSubscriptions = 1024

	eventClock   = 0
	eventRead    = 1
	eventWrite   = 2
	absoluteTime = 1
)

// pollOneoff is poll_oneoff(*in, *out, n, *events). Streams are ready at once;
// otherwise it sleeps until the first clock, or until the run ends.
func pollOneoff(ctx context.Context, m api.Memory, args []uint64) errno {
	in, out, n, into := uint32(args[0]), uint32(args[1]), uint32(args[2]), uint32(args[3])
	if n == 0 || n > maxSubscriptions {
		return inval
	}
	subscriptions, ok := m.Read(in, n*subscriptionSize)
	if !ok {
		return fault
	}
	events := make([]byte, 0, eventSize)
	first, due := time.Duration(math.MaxInt64), []byte(nil)
	for ; len(subscriptions) > 0; subscriptions = subscriptions[subscriptionSize:] {
		s := subscriptions[:subscriptionSize]
		if s[8] != eventClock {
			events = appendEvent(events, s, readiness(s))
			continue
		}
		left, ok := untilDue(s)
		if !ok {
			events = appendEvent(events, s, inval)
		} else if due == nil || left < first {
			first, due = left, s
		}
	}
	if len(events) == 0 {
		events = appendEvent(events, due, success) // before sleeping: s aliases the memory
		runOf(ctx).sleep(ctx, first)
	}
	if !m.Write(out, events) || !m.WriteUint32Le(into, uint32(len(events)/eventSize)) {
		return fault
	}
	return success
}

// untilDue says how long a clock's subscription is to sleep.
func untilDue(s []byte) (time.Duration, bool) {
	clock, at, flags := binary.LittleEndian.Uint32(s[16:]), binary.LittleEndian.Uint64(s[24:]), binary.LittleEndian.Uint16(s[40:])
	ns, ok := clockNow(clock)
	if !ok {
		return 0, false
	}
	if flags&absoluteTime != 0 {
		at -= min(at, ns)
	}
	return time.Duration(min(at, math.MaxInt64)), true
}

// readiness of a stream: writing is possible, reading finds the end.
func readiness(s []byte) errno {
	fd := binary.LittleEndian.Uint32(s[16:])
	if s[8] == eventRead && fd == stdin || s[8] == eventWrite && (fd == stdout || fd == stderr) {
		return success
	}
	return badf
}

func appendEvent(events, s []byte, result errno) []byte {
	var e [eventSize]byte
	copy(e[:8], s[:8]) // user data
	binary.LittleEndian.PutUint16(e[8:], uint16(result))
	e[10] = s[8]
	return append(events, e[:]...)
}

// sleep gives the slot up and ends with the run.
func (r *run) sleep(ctx context.Context, d time.Duration) {
	r.wait(ctx, func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	})
	if ctx.Err() != nil {
		panic(context.Cause(ctx))
	}
}
