package redis

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	driver "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/nexuscore/scheduler/core"
)

// Config says where Redis is and how long to wait for it.
type Config struct {
	// URL is redis://user:password@host:port/db, or rediss:// for TLS. Required.
	URL string
	// Prefix begins every key and channel. Defaults to "scheduler".
	Prefix string
	// Timeout bounds every call, with its retry and the wait for a free
	// connection. Defaults to 1 s.
	Timeout time.Duration
	// PoolSize bounds the connections, without the one that listens for signals.
	// Defaults to 10.
	PoolSize int
	// Logger hears about lost and regained connections. Defaults to none.
	Logger hclog.Logger
	// Clock measures latency and the pauses of a Fallback; Redis's own clock
	// decides about leases and limits. Defaults to the machine's.
	Clock core.Clock
}

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, "scheduler")
	c.Timeout = cmp.Or(c.Timeout, time.Second)
	c.PoolSize = cmp.Or(c.PoolSize, 10)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	return c
}

// options turns the config into the driver's. One attempt may take half of the
// time, so that a connection that went stale leaves time for a second one.
func (c Config) options() (*driver.Options, error) {
	if c.URL == "" {
		return nil, errors.New("redis: no URL")
	}
	o, err := driver.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: URL: %w", err)
	}
	attempt := c.Timeout / 2
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = attempt, attempt, attempt, attempt
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = 1, time.Millisecond, 10*time.Millisecond
	o.PoolSize, o.MaxActiveConns = c.PoolSize, c.PoolSize
	o.DisableIdentity = true // Redis before 7.2 answers it with an error
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}
