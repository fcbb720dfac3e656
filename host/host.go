package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// Config is what a Host is made of.
type Config struct {
	// Path is the file that lists the plugins. Defaults to plugins.yaml.
	Path string

	// Runtimes are the runtimes that entries can name, by name: wasm, process.
	Runtimes map[string]Runtime

	// State keeps what plugins remember (the operations kv). Without one the
	// grant kv cannot be given.
	State core.StateStore

	// Checkpoints keeps where an attempt may go on. Without one there is no
	// operation checkpoint.
	Checkpoints core.CheckpointStore

	// Drafter makes the tasks that plugins enqueue. Without one the grant enqueue
	// cannot be given.
	Drafter Drafter

	// Egress is how HTTP requests of plugins are made.
	Egress EgressConfig

	// Environ looks up the variables that plugins.yaml refers to, and the secrets
	// that it grants. Defaults to os.LookupEnv.
	Environ func(string) (string, bool)

	// DefaultTimeout is the limit of a run's wall time where plugins.yaml sets
	// none. Defaults to 5 minutes.
	DefaultTimeout time.Duration

	// LoadTimeout bounds the loading of one plugin. Defaults to 2 minutes.
	LoadTimeout time.Duration

	// DrainTimeout bounds how long a replaced generation may go on with what it
	// runs; then the rest is cancelled and retried on the new one. Defaults to 5
	// minutes.
	DrainTimeout time.Duration

	// Logger defaults to none.
	Logger hclog.Logger
}

func (c Config) withDefaults() Config {
	if c.Path == "" {
		c.Path = "plugins.yaml"
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Environ == nil {
		c.Environ = os.LookupEnv
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.DefaultTimeout, 5 * time.Minute}, {&c.LoadTimeout, 2 * time.Minute}, {&c.DrainTimeout, 5 * time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return c
}

// Host keeps the catalogue of plugins and runs them. All methods are safe for
// concurrent use. Before Load it has no plugins.
type Host struct {
	cfg      Config
	counters counters
	egress   *egress
	current  atomic.Pointer[generation]
	seen     atomic.Pointer[sighting] // what the last Load or Reload has read

	changing sync.Mutex // serializes Load, Reload and Close
	number   int        // of the newest generation
	problem  error      // why plugins.yaml as a whole could not be read
	closed   bool

	draining sync.WaitGroup     // replaced generations that still run something
	patience context.Context    // ends when they may go on no longer
	hurry    context.CancelFunc // ends patience
}

// New makes a Host. Nothing is read before Load.
func New(cfg Config) *Host {
	h := &Host{cfg: cfg.withDefaults(), egress: newEgress(cfg.Egress)}
	h.patience, h.hurry = context.WithCancel(context.Background())
	h.current.Store(newGeneration(0))
	h.seen.Store(&sighting{})
	return h
}

// Load reads plugins.yaml and loads what it lists. Whatever is wrong there is
// no reason not to start: without the file there are no plugins, an unreadable
// file is reported by Problem, and a plugin that cannot be loaded is listed as
// failed. The error is ctx's, or says that the host is closed.
func (h *Host) Load(ctx context.Context) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.closed {
		return errClosed
	}
	f, err := h.reader().read()
	h.problem = nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h.cfg.Logger.Warn("no plugins: the file does not exist; every task type is unavailable until it is written and reloaded", "path", h.cfg.Path)
	case err != nil:
		h.problem = fmt.Errorf("%s: %w", h.cfg.Path, err)
		h.cfg.Logger.Error("no plugins: the file cannot be read; correct it and reload", "path", h.cfg.Path, "error", err)
	}
	next := h.build(ctx, f)
	if err := ctx.Err(); err != nil {
		_ = next.close(context.WithoutCancel(ctx), h.cfg.Logger)
		return fmt.Errorf("load plugins: %w", err)
	}
	h.swap(next)
	return nil
}

// Reload reads plugins.yaml again and replaces all plugins at once. Attempts
// that run finish on the plugins they started with.
//
// A file that cannot be read changes nothing, and neither does a plugin that
// cannot be loaded, unless it was listed as failed before: a plugin that works
// is never replaced by one that does not. The error says why. A missing file is
// such an error here.
func (h *Host) Reload(ctx context.Context) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.closed {
		return errClosed
	}
	f, err := h.reader().read()
	if err != nil {
		return fmt.Errorf("reload plugins: %s: %w", h.cfg.Path, err)
	}
	next := h.build(ctx, f)
	if err := errors.Join(ctx.Err(), next.worseThan(h.current.Load())); err != nil {
		_ = next.close(context.WithoutCancel(ctx), h.cfg.Logger)
		return fmt.Errorf("reload plugins: nothing was changed: %w", err)
	}
	h.problem = nil
	h.swap(next)
	return nil
}

// Problem returns why plugins.yaml as a whole could not be read at the last
// Load, nil when it could. A later Reload that succeeds clears it.
func (h *Host) Problem() error {
	h.changing.Lock()
	defer h.changing.Unlock()
	return h.problem
}

// Close takes no new attempts, waits for those that run until ctx ends, then
// cancels them, and releases all plugins. It is idempotent.
func (h *Host) Close(ctx context.Context) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	stop := context.AfterFunc(ctx, h.hurry)
	defer stop()
	old := h.current.Swap(nil)
	old.drain(ctx)
	err := old.close(ctx, h.cfg.Logger)
	h.draining.Wait()
	h.hurry()
	h.egress.close()
	return err
}

var errClosed = errors.New("host: closed")

func (h *Host) reader() fileReader {
	return fileReader{path: h.cfg.Path, environ: h.cfg.Environ, timeout: h.cfg.DefaultTimeout, seen: &h.seen}
}

// swap makes next current and lets the old generation finish in the background.
func (h *Host) swap(next *generation) {
	old := h.current.Swap(next)
	h.cfg.Logger.Info("plugins loaded", "generation", next.number, "loaded", next.loaded(), "failed", next.failed())
	h.draining.Go(func() {
		ctx, cancel := context.WithTimeout(h.patience, h.cfg.DrainTimeout)
		defer cancel()
		old.drain(ctx)
		if err := old.close(ctx, h.cfg.Logger); err != nil {
			h.cfg.Logger.Warn("a replaced plugin was not released", "generation", old.number, "error", err)
		}
	})
}

var (
	_ core.Invoker       = (*Host)(nil)
	_ core.TypeCatalogue = (*Host)(nil)
)
