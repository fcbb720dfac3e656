package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "github.com/redis/go-redis/v9"

	"github.com/nexuscore/scheduler/core"
)

// Client is a pool of connections to one Redis. Locker, Limiter and Signals
// share it. It is safe for concurrent use. Its zero value is not useful; Open
// makes one.
type Client struct {
	cfg Config
	db  driver.UniversalClient
}

// Open returns a client. It fails only when the configuration is wrong: a Redis
// that does not answer yet is used as soon as it does.
func Open(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	o, err := cfg.options()
	if err != nil {
		return nil, err
	}
	driver.SetLogger(silent{}) // the driver's own, for the process: it writes to standard error what the calls report anyway
	return &Client{cfg: cfg, db: driver.NewClient(o)}, nil
}

// silent is a logger of the driver that says nothing.
type silent struct{}

// Printf implements the driver's interface.
func (silent) Printf(context.Context, string, ...any) {}

// Close ends the connections. Closing again does nothing.
func (c *Client) Close() error {
	if err := c.db.Close(); err != nil && !errors.Is(err, driver.ErrClosed) {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Health is what a health page shows of Redis.
type Health struct {
	Version string        // of the server, "" when it does not answer
	Latency time.Duration // of one round trip
}

// Check asks Redis for its version. It fails with UNAVAILABLE within
// Config.Timeout.
func (c *Client) Check(ctx context.Context) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	asked := c.cfg.Clock.Now()
	info, err := c.db.Info(ctx, "server").Result()
	if err != nil {
		return Health{}, unavailable("check", err)
	}
	h := Health{Latency: c.cfg.Clock.Now().Sub(asked)}
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			h.Version = strings.TrimSpace(version)
		}
	}
	return h, nil
}

// run executes a script by its digest, and by its text when Redis does not know
// it (any more).
func (c *Client) run(ctx context.Context, operation string, s *driver.Script, keys []string, args ...any) ([]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	bounded, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	answer, err := s.Run(bounded, c.db, keys, args...).Slice()
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", operation, ctx.Err())
	}
	return nil, unavailable(operation, err)
}

func unavailable(operation string, err error) error {
	return &core.Error{Code: core.CodeUnavailable, Message: operation + ": redis is not available", Err: err}
}

// integer reads a number out of a script's answer.
func integer(v any) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("redis answered %T instead of a number", v)
	}
	return n, nil
}
