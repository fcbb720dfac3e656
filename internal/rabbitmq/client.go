package rabbitmq

import (
	"context"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Client keeps the two connections to RabbitMQ alive. It is safe for concurrent
// use. Its zero value is not useful; Open makes one.
type Client struct {
	cfg        Config
	publishing *link
	consuming  *link
}

// Open starts to connect. It fails only when the configuration is wrong: a
// RabbitMQ that does not answer yet is used as soon as it does.
func Open(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, publishing: startLink(cfg, "publish"), consuming: startLink(cfg, "consume")}, nil
}

// Close ends the connections. Close what stands on the client first. Closing
// again does nothing.
func (c *Client) Close() error {
	c.publishing.close()
	c.consuming.close()
	return nil
}

// State says how the server can be used.
type State string

// The states of a client.
const (
	StateConnected State = "connected"
	StateBlocked   State = "blocked" // the server takes no messages: it is short of memory or disk
	StateDown      State = "down"
)

// Health is what a health page shows of RabbitMQ.
type Health struct {
	State   State
	Since   time.Time     // of the state
	Version string        // of the server, "" when it is down
	Latency time.Duration // of one round trip
}

// Check asks the server for a sign of life on both connections. It fails with
// UNAVAILABLE, within twice Config.Timeout, when it is down or blocked; the
// Health is filled in all the same.
func (c *Client) Check(ctx context.Context) (Health, error) {
	if err := ctx.Err(); err != nil {
		return Health{State: StateDown}, fmt.Errorf("check: %w", err)
	}
	h, err := c.consuming.check(c.cfg.Clock)
	if err != nil {
		return h, err
	}
	if err := c.publishing.blocked(); err != nil { // it would not answer
		h.State, h.Since = StateBlocked, c.publishing.changedAt()
		return h, err
	}
	return c.publishing.check(c.cfg.Clock)
}

func unavailable(operation string, err error) error {
	return &core.Error{Code: core.CodeUnavailable, Message: operation + ": rabbitmq is not available", Err: err}
}
