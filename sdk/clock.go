package sdk

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Now returns the host's time, UTC. It is the clock that deadlines are counted
// by, and a test can set it. A host without one leaves the program's own.
func (c *Context) Now() time.Time {
	var clock wire.Clock
	raw, err := c.Call(wire.OpClock, struct{}{})
	if err != nil || json.Unmarshal(raw, &clock) != nil || clock.Now.IsZero() {
		return time.Now().UTC()
	}
	return clock.Now.UTC()
}

// Sleep waits. When the run ends meanwhile, a module ends here, and in a process
// Sleep returns an error.
func (c *Context) Sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if _, err := c.Call(wire.OpSleep, wire.SleepArgs{MS: max(1, d.Milliseconds())}); err != nil {
		return fmt.Errorf("sleep: %w", err)
	}
	return nil
}

// Rand returns a generator of random numbers with a seed from the host. The
// generators of math/rand begin with the same seed in every run of a module, see
// the package comment. Not for keys: those come from crypto/rand, which is real.
// It is not safe for concurrent use.
func (c *Context) Rand() (*rand.Rand, error) {
	var seed [32]byte
	raw, err := c.Call(wire.OpRandom, wire.RandomArgs{Bytes: len(seed)})
	if err != nil {
		return nil, fmt.Errorf("rand: %w", err)
	}
	var random wire.Random
	if err := json.Unmarshal(raw, &random); err != nil {
		return nil, fmt.Errorf("rand: read the host's answer: %w", err)
	}
	copy(seed[:], random.Bytes)
	return rand.New(rand.NewChaCha8(seed)), nil
}
