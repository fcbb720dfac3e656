package rabbitmq

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/nexuscore/scheduler/core"
)

// Config says where RabbitMQ is and how long to wait for it.
type Config struct {
	// URL is amqp://user:password@host:port/vhost, or amqps:// for TLS. Required.
	URL string
	// Prefix begins every name of a queue or exchange. Defaults to "scheduler".
	Prefix string
	// Node names this node's connections in RabbitMQ's own pages. Defaults to
	// the prefix.
	Node string
	// Timeout bounds connecting, every request and the wait for confirms.
	// Defaults to 5 s.
	Timeout time.Duration
	// Heartbeat is how often both ends show that they are alive; a connection is
	// given up after three that are missing. At least 1 s. Defaults to 5 s.
	Heartbeat time.Duration
	// MinBackoff and MaxBackoff bound the pause between two attempts to connect.
	// It doubles from one to the other and is spread at random. Default to
	// 100 ms and 10 s.
	MinBackoff, MaxBackoff time.Duration
	// Logger hears about lost and regained connections. Defaults to none.
	Logger hclog.Logger
	// Clock dates what a health page shows. Defaults to the machine's.
	Clock core.Clock
}

func (c Config) withDefaults() (Config, error) {
	if c.URL == "" {
		return c, errors.New("rabbitmq: no URL")
	}
	if _, err := amqp.ParseURI(c.URL); err != nil {
		return c, fmt.Errorf("rabbitmq: URL: %w", err)
	}
	c.Prefix = cmp.Or(c.Prefix, "scheduler")
	c.Node = cmp.Or(c.Node, c.Prefix)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.Heartbeat = max(cmp.Or(c.Heartbeat, 5*time.Second), time.Second)
	c.MinBackoff = cmp.Or(c.MinBackoff, 100*time.Millisecond)
	c.MaxBackoff = max(cmp.Or(c.MaxBackoff, 10*time.Second), c.MinBackoff)
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	return c, nil
}
