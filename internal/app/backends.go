package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// backends are what the service stands on. The addresses in the configuration
// decide which; there is no other switch.
type backends struct {
	store     core.Store
	queue     core.Queue
	locker    core.Locker
	limiter   core.Limiter
	signals   core.Signals
	publisher core.Publisher // nil: nobody takes events

	// take tells the queue which task types this node runs.
	take func(types []string)
	// shared says that other nodes may work on the same store.
	shared bool
	// redeliver is engine.Config's; 0 is its default.
	redeliver time.Duration

	storeName, storePlace  string // such as sqlite, and the file
	queueName, locksName   string
	checkQueue, checkLocks func(ctx context.Context) api.HealthCheck // nil: nothing can go wrong

	broker *broker // nil without RabbitMQ
}

// opening gathers what the opened parts need and how to close them again.
type opening struct {
	cfg    config.Config
	log    hclog.Logger
	clock  core.Clock
	onStop func(name string, run func(context.Context) error)
}

// backends opens what the configuration asks for.
func (o opening) backends(ctx context.Context) (*backends, error) {
	if o.cfg.DatabaseURL == "" {
		return o.embedded(ctx)
	}
	return o.cluster(ctx)
}

// embedded keeps everything in this process and a file.
func (o opening) embedded(ctx context.Context) (*backends, error) {
	if err := os.MkdirAll(o.cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("create DATA_DIR: %w", err)
	}
	path := filepath.Join(o.cfg.DataDir, DatabaseName)
	store, err := sqlstore.OpenSQLite(ctx, sqlstore.SQLiteConfig{Path: path, Clock: o.clock, Logger: o.log.Named("store")})
	if err != nil {
		return nil, err
	}
	o.closes("store", store)
	queue := memory.NewQueue(o.cfg.MaxQueueSize)
	o.closes("queue", queue)
	return &backends{
		store: store, queue: queue, locker: memory.NewLocker(o.clock), limiter: memory.NewLimiter(o.clock), signals: memory.NewSignals(),
		take: func([]string) {}, storeName: "sqlite", storePlace: path, queueName: "memory", locksName: "memory",
	}, nil
}

// closes closes something when the service stops.
func (o opening) closes(name string, c interface{ Close() error }) {
	o.onStop(name, func(context.Context) error { return c.Close() })
}

// errAway is all that a health page says of an error that may hold an address.
var errAway = errors.New("does not answer")
