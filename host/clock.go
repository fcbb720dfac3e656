package host

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// maxRandom bounds the bytes of one answer.
const maxRandom = 4096

// deadline tells when the run ends.
func (c *call) deadline(ctx context.Context) (json.RawMessage, error) {
	var d wire.Deadline
	if at, ok := ctx.Deadline(); ok {
		d.At, d.LeftMS = at.UTC(), max(0, at.Sub(c.now()).Milliseconds())
	}
	return json.Marshal(d)
}

func random(in []byte) (json.RawMessage, error) {
	var a wire.RandomArgs
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, malformed(err)
	}
	if a.Bytes < 1 || a.Bytes > maxRandom {
		return nil, refusal("bytes is not between 1 and %d", maxRandom)
	}
	b := make([]byte, a.Bytes)
	_, _ = rand.Read(b) // never fails
	return json.Marshal(wire.Random{Bytes: b})
}

// sleep waits, but no longer than the run lasts: a run that ends meanwhile ends
// in it, so that no program takes the end for a failure of its own.
func sleep(ctx context.Context, in []byte) error {
	var a wire.SleepArgs
	if _, err := wire.Decode(in, &a); err != nil {
		return malformed(err)
	}
	if a.MS < 0 || time.Duration(a.MS) > maxTimeout/time.Millisecond {
		return refusal("ms is not between 0 and %d", maxTimeout.Milliseconds())
	}
	timer := time.NewTimer(time.Duration(a.MS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errRunOver
	}
}
