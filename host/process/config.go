package process

import (
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// Config is what a Runtime is made of.
type Config struct {
	// Dir is where the sockets of plugins are, in directories that are removed
	// with their process; what an earlier server left behind is removed by New.
	// Paths of sockets are short, so this should be too. Defaults to os.TempDir().
	Dir string

	// UID is the user and group that plugins run as. It is used when the server
	// runs as root, and should belong to nothing else. Zero runs them as the
	// server's user.
	UID int

	// StartTimeout bounds the time from the start of a process until it can be
	// called. Defaults to 10 seconds.
	StartTimeout time.Duration

	// Grace is what a run has to end by itself after it was cancelled. At most,
	// and by default, 800 ms: host.Plugin promises the end within a second.
	Grace time.Duration

	// Clock defaults to the system's.
	Clock core.Clock

	// Logger defaults to none.
	Logger hclog.Logger
}

const maxGrace = 800 * time.Millisecond

func (c Config) withDefaults() Config {
	if c.Dir == "" {
		c.Dir = os.TempDir()
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 10 * time.Second
	}
	if c.Grace <= 0 || c.Grace > maxGrace {
		c.Grace = maxGrace
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}
