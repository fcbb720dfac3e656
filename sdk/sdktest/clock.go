package sdktest

import (
	"bytes"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// clock is the time of a case. It stands still but for what the handler sleeps.
// When it comes to the deadline the run is over.
type clock struct {
	now   time.Time
	slept time.Duration
	end   *end

	onSleep func(time.Duration) // see Case.OnSleep
}

// answer serves the operations that have to do with time and chance. Random
// bytes are the same in every run.
func (k *clock) answer(op string, in []byte, e sdk.Execution) (any, error) {
	switch op {
	case wire.OpClock:
		return wire.Clock{Now: k.now.Add(k.slept)}, nil
	case wire.OpDeadline:
		return wire.Deadline{At: e.Deadline, LeftMS: e.Deadline.Sub(k.now.Add(k.slept)).Milliseconds()}, nil
	case wire.OpSleep:
		var a wire.SleepArgs
		if _, err := wire.Decode(in, &a); err != nil {
			return nil, err
		}
		return nil, k.sleep(time.Duration(a.MS) * time.Millisecond)
	}
	var a wire.RandomArgs
	_, err := wire.Decode(in, &a)
	return wire.Random{Bytes: bytes.Repeat([]byte{7}, max(a.Bytes, 0))}, err
}

// sleep lets the time pass, up to the deadline.
func (k *clock) sleep(d time.Duration) error {
	late := false
	if left := k.end.at.Sub(k.now.Add(k.slept)); !k.end.at.IsZero() && d >= left {
		d, late = max(left, 0), true
	}
	k.slept += d
	if k.onSleep != nil {
		k.onSleep(d)
	}
	if late {
		k.end.come()
		return errTimedOut
	}
	return nil
}
