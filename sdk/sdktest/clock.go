package sdktest

import (
	"bytes"
	"time"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// clock is the time of a case. It stands still but for what the handler sleeps.
type clock struct {
	now   time.Time
	slept time.Duration

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
		_, err := wire.Decode(in, &a)
		k.sleep(time.Duration(a.MS) * time.Millisecond)
		return nil, err
	}
	var a wire.RandomArgs
	_, err := wire.Decode(in, &a)
	return wire.Random{Bytes: bytes.Repeat([]byte{7}, max(a.Bytes, 0))}, err
}

// sleep lets the time pass.
func (k *clock) sleep(d time.Duration) {
	k.slept += d
	if k.onSleep != nil {
		k.onSleep(d)
	}
}
