package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/engine"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/metrics"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// App is a running service. Start and Stop are idempotent and safe for
// concurrent use; a stopped App cannot be started again.
type App struct {
	cfg     config.Config
	log     hclog.Logger
	version string

	*backends
	roster   *roster
	host     *host.Host
	engine   *engine.Engine
	api      *api.Server
	listener net.Listener
	probe    *http.Client // for health checks of other services
	stopTime time.Duration
	loading  atomic.Bool // the plugins, at the start
	ready    atomic.Bool
	faults   *faults
	metrics  *metrics.Metrics

	mu       sync.Mutex
	started  bool
	stopped  bool
	cleanups []cleanup // run in reverse
	serving  chan error
}

// DatabaseName is the database file's name in DATA_DIR.
const DatabaseName = "scheduler.db"

// The end of the service. Running work has the grace period that Stop is given;
// stopTime bounds everything after it together, closeTime each step of that.
// cancelGrace is the part of it that plugins have which were told to end.
const (
	stopTime    = 10 * time.Second
	closeTime   = 5 * time.Second
	cancelGrace = 3 * time.Second
)

// New builds the service in the order of its dependencies and listens; it does
// no work yet. What it has built is taken down again when a step fails.
func New(ctx context.Context, cfg config.Config, log hclog.Logger, version string) (_ *App, err error) {
	clock := core.SystemClock{}
	a := &App{cfg: cfg, log: log, version: version, faults: newFaults(clock), metrics: metrics.New(version), stopTime: stopTime, serving: make(chan error, 1), probe: &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
			defer cancel()
			a.cleanUp(ctx)
		}
	}()
	open := opening{cfg: cfg, log: log, clock: clock, onStop: a.onStop}
	if a.backends, err = open.backends(ctx); err != nil {
		return nil, err
	}
	notifier, err := newNotifier(cfg, log)
	if err != nil {
		return nil, err
	}
	drafts := &drafts{}
	var closeRuntimes func(context.Context) error
	news := newTeller(cfg.NodeID, a.store, clock, log.Named("plugins"))
	a.background("plugin events", news.run)
	if a.host, closeRuntimes, err = newHost(cfg, log, host.Config{Tell: news.tell, State: a.store, Checkpoints: a.store, Pruner: a.store, Drafter: drafts, Opened: a.lookAgain, Observer: a.metrics}); err != nil {
		return nil, err
	}
	a.onStop("plugin runtimes", closeRuntimes)
	a.onStop("plugins", a.host.Close)
	invoker := withFailpoints(a.backends, a.host)
	a.roster = &roster{node: cfg.NodeID, nodes: a.store, types: a.host, take: a.takeTypes, log: log.Named("roster"), clock: clock, shared: a.shared, orphans: map[string]time.Time{}}
	a.store.LimitTypes(a.limit)
	timetable := core.Timetable{MinInterval: cfg.MinInterval}
	if a.engine, err = engine.New(engine.Config{
		Store: a.store, Queue: a.queue, Locker: a.metrics.Locker(a.locker), Limiter: a.limiter,
		Invoker: invoker, Signals: a.signals, Observer: core.Observers{a.faults, a.metrics}, Publisher: a.publisher, Messenger: host.NewMessenger(notifier), Logger: log.Named("engine"), Clock: clock, Timetable: timetable,
		Types: a.host, Rates: a.host.Rate, Version: version,
		Owner: cfg.NodeID, Redeliver: a.redeliver, Concurrency: cfg.MaxConcurrentTasks,
		Maintenance: cfg.MaintenanceInterval, CancelGrace: cancelGrace,
		Retention: core.Retention{History: cfg.HistoryRetention, HistoryPerTask: cfg.HistoryPerTask, IdempotencyKeys: 24 * time.Hour, Outbox: outboxRetention},
	}); err != nil {
		return nil, err
	}
	scheduler := core.NewScheduler(core.SchedulerConfig{
		Store: a.store, Types: clusterTypes{a.host, a.roster}, Signals: a.signals, Clock: clock, Timetable: timetable, Load: a.engine, Rates: a.engine, Observer: a.metrics,
		Defaults: core.Defaults{Timeout: cfg.DefaultTimeout, RetryAttempts: cfg.RetryAttempts, RetryDelay: cfg.RetryDelay},
	})
	drafts.set(scheduler)
	a.metrics.Watch(a.store, a.engine)
	a.metrics.WatchPlugins(a.host)
	a.api = api.New(api.Config{
		Scheduler: scheduler, Health: a, Plugins: a.host, Metrics: a.metrics.Handler(), Logger: log.Named("api"), Clock: clock, Host: cfg.Host,
	})
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Address()); err != nil {
		return nil, listenError(cfg, err)
	}
	a.onStop("listener", func(context.Context) error { return ignoreClosed(a.listener.Close()) })
	return a, nil
}

// limit is how many executions of a type may be queued or run at once: by the
// plugin's limit, and none on a node that leaves the type to others, or has its
// plugin in quarantine.
func (a *App) limit(taskType string) int {
	if a.roster.leaves(taskType) || !a.host.Admits(taskType) {
		return core.NoneHere
	}
	return a.host.Concurrency(taskType)
}

// takeTypes takes executions of these types from now on. Some may have waited
// for that.
func (a *App) takeTypes(types []string) {
	a.take(types)
	a.lookAgain()
}

// lookAgain lets the dispatchers look at what waits, although nothing has become
// ready in the store.
func (a *App) lookAgain() {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	a.signals.Send(ctx, core.Signal{Kind: core.SignalDispatch})
}

// outboxRetention is how long an event or alert waits for somebody to take it.
const outboxRetention = 7 * 24 * time.Hour

// newNotifier makes what delivers the notifications of plugins and the alerts.
func newNotifier(cfg config.Config, log hclog.Logger) (host.Notifier, error) {
	if cfg.NotificationServiceURL == nil {
		return host.NewLogNotifier(log.Named("notification")), nil
	}
	return host.NewHTTPNotifier(host.HTTPNotifierConfig{URL: cfg.NotificationServiceURL.String()})
}

func listenError(cfg config.Config, err error) error {
	if strings.Contains(err.Error(), "address already in use") {
		return fmt.Errorf("listen on %s: another program uses this port; stop it or set PORT: %w", cfg.Address(), err)
	}
	return fmt.Errorf("listen on %s: %w", cfg.Address(), err)
}

// Start loads the plugins, answers requests and begins to work. A plugin that
// cannot be loaded does not keep the service from starting.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return errors.New("app: cannot be started again")
	case a.started:
		return nil
	}
	a.started = true
	a.loading.Store(true)
	go func() { a.serving <- a.api.Serve(a.listener) }()
	if err := a.host.Load(ctx); err != nil {
		a.log.Error("plugins", "error", err)
	}
	a.loading.Store(false)
	debug.FreeOSMemory() // compiling has taken much that is not needed again
	a.background("heap", keepHeadroom)
	a.background("roster", a.roster.run)
	a.background("plugins.yaml", func(ctx context.Context) { a.host.Watch(ctx, watchPeriod) })
	if err := a.engine.Start(); err != nil {
		return err
	}
	if a.broker != nil {
		a.obey()
	}
	a.ready.Store(true)
	a.log.Info("started", "address", a.Addr(), "store", a.storeName, "queue", a.queueName, "locks", a.locksName, "limits", a.locksName)
	return nil
}

// background runs something until the service stops, and waits for its end.
func (a *App) background(name string, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	a.onStop(name, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// watchPeriod is how often plugins.yaml is looked at.
const watchPeriod = time.Second

// Reload reads plugins.yaml again, as POST /plugins/reload does.
func (a *App) Reload(ctx context.Context) error { return a.host.Reload(ctx) }

// obey carries out the commands that come by message, until the service stops.
func (a *App) obey() {
	handler := commands{a.api, a.store}
	c := rabbitmq.NewCommands(a.broker.client, rabbitmq.CommandsConfig{
		Handler: handler.handle, Unreadable: handler.unreadable, Concurrency: a.cfg.QueueConcurrency,
	})
	a.onStop("commands", func(context.Context) error { return c.Close() })
}

// Summary is one line for the operator: where the service listens, what it
// stands on and which plugins it has.
func (a *App) Summary() string {
	var loaded, failed []string
	for _, p := range a.host.Plugins() {
		if p.State.Runs() {
			loaded = append(loaded, p.Type+" ("+p.Runtime+" "+p.Version+")")
		} else {
			failed = append(failed, p.Type)
		}
	}
	line := fmt.Sprintf("listening on http://%s; store %s at %s; queue %s; locks and limits %s; plugins: %s",
		a.Addr(), a.storeName, a.storePlace, a.queueName, a.locksName, orNone(loaded))
	if len(failed) > 0 {
		line += "; not loaded: " + strings.Join(failed, ", ") + " (GET /plugins says why)"
	}
	return line
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// Addr is where the API listens.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Failed delivers the error with which the API stopped answering by itself.
func (a *App) Failed() <-chan error { return a.serving }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
