package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// Config is what a Host is made of.
type Config struct {
	// Path is the file that lists the plugins, or a directory of such files.
	// Defaults to plugins.yaml.
	Path string

	// Service lists the plugins instead of Path; nil is none.
	Service *ConfigService

	// Runtimes are the runtimes that entries can name, by name: wasm, process.
	Runtimes map[string]Runtime

	// State keeps what plugins remember (the operations kv). Without one the
	// grant kv cannot be given.
	State core.StateStore

	// Checkpoints keeps where an attempt may go on. Without one there is no
	// operation checkpoint.
	Checkpoints core.CheckpointStore

	// Pruner removes what is old from the store. Without one the grant maintenance
	// gives nothing.
	Pruner core.Pruner

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

	// DrainTimeout bounds how long a plugin that is neither current nor kept for a
	// rollback may go on with what it runs; then the rest is cancelled and retried
	// on the current one. Defaults to 5 minutes.
	DrainTimeout time.Duration

	// Opened is called after something happened that lets attempts start which were
	// not started before: other plugins are in force, or a quarantine has ended
	// before its time. Defaults to nothing.
	Opened func()

	// Observer is told what plugins do. Defaults to nobody.
	Observer Observer

	// Tell is told what happened to the plugins; their Node is empty. It returns at
	// once, and may be called by several goroutines. Defaults to nobody.
	Tell func(core.PluginEvent)

	// Clock tells when a quarantine ends. Defaults to the machine's.
	Clock core.Clock

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
	if c.Opened == nil {
		c.Opened = func() {}
	}
	if c.Tell == nil {
		c.Tell = func(core.PluginEvent) {}
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
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
	clock    core.Clock
	source   source
	from     string // names source to people
	counters counters
	egress   *egress
	current  atomic.Pointer[generation]
	seen     atomic.Pointer[sighting] // what the last Load or Reload has read
	last     atomic.Pointer[reading]  // how that went

	loading  sync.Mutex        // serializes Load, Reload and Close; taken before changing
	changing sync.Mutex        // guards what follows, and changes of current; never held for long
	told     map[string]string // by task type, the problem that the log has last; under loading
	owed     map[string]bool   // task types that the reload that failed last was to change; under loading
	refused  map[string]string // by task type, or "" for the list, the reason that was told last; under loading
	number   int               // of the newest generation
	problem  error             // why plugins.yaml as a whole could not be read
	closed   bool

	draining sync.WaitGroup     // replaced plugins that still run something
	patience context.Context    // ends when they may go on no longer
	hurry    context.CancelFunc // ends patience
}

// New makes a Host. Nothing is read before Load.
func New(cfg Config) *Host {
	cfg = cfg.withDefaults()
	h := &Host{cfg: cfg, clock: cfg.Clock, source: pathSource{cfg.Path}, from: cfg.Path, egress: newEgress(cfg.Egress)}
	if cfg.Service != nil {
		h.source, h.from = cfg.Service, cfg.Service.String()
	}
	h.patience, h.hurry = context.WithCancel(context.Background())
	h.told, h.refused = map[string]string{}, map[string]string{}
	h.current.Store(newGeneration(0))
	h.seen.Store(&sighting{})
	return h
}

// Load reads plugins.yaml and loads what it lists. Whatever is wrong there is
// no reason not to start: without the file there are no plugins, an unreadable
// file is reported by Problem, and a plugin that cannot be loaded is listed as
// failed. The error is ctx's, or says that the host is closed.
func (h *Host) Load(ctx context.Context) error {
	h.loading.Lock()
	defer h.loading.Unlock()
	if h.isClosed() {
		return errClosed
	}
	f, problem := h.readAtStart(ctx)
	all := h.prepare(ctx, f, false)
	if err := ctx.Err(); err != nil {
		unload(ctx, all)
		return fmt.Errorf("load plugins: %w", err)
	}
	err := h.change(ctx, all, problem, func(*generation, *generation) error { return nil })
	if err == nil && problem == nil {
		h.keep(f)
	}
	return err
}

// readAtStart reads what is listed and, when that cannot be used, what was when
// it last could. The problem is about the list as a whole.
func (h *Host) readAtStart(ctx context.Context) (_ file, problem error) {
	f, err := h.read(ctx)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, fs.ErrNotExist):
		h.cfg.Logger.Warn("no plugins: the file does not exist; every task type is unavailable until it is written and reloaded", "path", h.from)
		return file{}, nil
	}
	problem = fmt.Errorf("%s: %w", h.from, err)
	if docs, ok := h.source.kept(); ok {
		if f, err := h.parse(docs); err == nil {
			h.cfg.Logger.Error("the list of plugins cannot be used; the one that was used last is", "from", h.from, "error", problem)
			return f, fmt.Errorf("%w; the list that was used last is in force", problem)
		}
	}
	h.cfg.Logger.Error("no plugins: the list cannot be used; correct it and reload", "from", h.from, "error", err)
	return file{}, problem
}

// Reload reads plugins.yaml again and replaces all plugins that have changed, by
// their entry or their program, at once. Attempts that run finish on the plugins
// they started with.
//
// A file that cannot be read changes nothing, and neither does a plugin that
// cannot be loaded, unless it was listed as failed before: a plugin that works
// is never replaced by one that does not. The error says why. A missing file is
// such an error here. A version that asks for more than it may have is held back
// by itself, and so is one that was rolled back; the rest changes.
func (h *Host) Reload(ctx context.Context) error {
	h.loading.Lock()
	defer h.loading.Unlock()
	clear(h.told) // who asks is told all of it
	return h.reload(ctx, false)
}

// reload is Reload. The log is told of a plugin's problem when it is another one
// than before. When nobody has asked for it, a list that was read already, and of
// which all stays as it is, makes no generation.
func (h *Host) reload(ctx context.Context, byItself bool) error {
	if h.isClosed() {
		return errClosed
	}
	before := *h.seen.Load()
	f, err := h.read(ctx)
	if err != nil {
		err = fmt.Errorf("reload plugins: %s: %w", h.from, err)
		h.refuseList(err)
		h.note(err, nil)
		return err
	}
	again := byItself && before == *h.seen.Load()
	all := h.prepare(ctx, f, again)
	err = ctx.Err()
	if err == nil && again && h.last.Load().fine() && h.current.Load().settled(all) {
		unload(ctx, all)
		h.note(nil, nil)
		return nil
	}
	if err == nil {
		err = h.change(ctx, all, nil, h.refuseLoss)
	} else {
		h.owe(all)
		unload(ctx, all)
		h.note(err, nil)
	}
	if err != nil {
		return fmt.Errorf("reload plugins: nothing was changed: %w", err)
	}
	h.keep(f)
	h.cfg.Opened()
	return nil
}

// owe remembers what a reload was to change that came to no end.
func (h *Host) owe(all []candidate) {
	old := h.current.Load()
	h.owed = old.followed(all, 0).changes(old)
}

// refuseLoss refuses a generation in which something works no more.
func (h *Host) refuseLoss(old, next *generation) error {
	problems := next.worseThan(old)
	if len(problems) == 0 {
		return nil
	}
	var all []error
	for _, t := range next.order {
		if err, ok := problems[t]; ok {
			all = append(all, fmt.Errorf("plugin %s: %w", t, err))
			h.refuse(refusedEvent(next.slots[t].entry, err))
		}
	}
	err := errors.Join(all...)
	h.note(err, problems)
	return err
}

// change puts what was prepared in place of the current generation, unless
// accept refuses that. What is not needed is released.
func (h *Host) change(ctx context.Context, all []candidate, problem error, accept func(old, next *generation) error) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	old := h.current.Load()
	next := old.followed(all, h.number+1)
	if err := accept(old, next); err != nil {
		h.owed = next.changes(old)
		unload(ctx, all)
		return err
	}
	h.number++
	clear(h.owed)
	used := next.all()
	unload(ctx, slices.DeleteFunc(all, func(c candidate) bool { return used[c.slot] }))
	h.problem = problem
	h.note(problem, nil)
	h.tellHeld(old, next)
	clear(h.refused)
	if problem != nil {
		h.refuseList(problem)
	}
	h.swap(next)
	for _, e := range news(old, next) {
		h.cfg.Tell(e)
	}
	return nil
}

// tellHeld says which listed versions are not in force for a reason that does
// not stop the rest.
func (h *Host) tellHeld(old, next *generation) {
	for _, t := range next.order {
		held, ok := next.held[t]
		if ok && old.held[t].HeldPlugin != held.HeldPlugin {
			h.cfg.Logger.Warn("plugin version is held back; the one that works goes on", "type", t, "version", held.Version, "sha256", held.Digest, "reason", held.Reason)
		}
		if next.rolledBack[t] {
			h.cfg.Logger.Warn("plugin stays rolled back: what is listed for it has not changed", "type", t, "plugin", next.slots[t].manifest.id(), "listed", next.previous[t].manifest.id())
		}
	}
}

// Rollback puts the version of a task type in place that was in force before the
// current one. It is loaded still, so nothing is compiled or started. Attempts
// that run finish on the version they started with. A second rollback undoes
// the first.
//
// It holds until the type's entry in plugins.yaml, or the program it names, has
// changed, and no longer than the process. Errors: NOT_FOUND; CONFLICT when
// there is nothing to go back to.
func (h *Host) Rollback(taskType string) error {
	if err := h.rollback(taskType); err != nil {
		return err
	}
	h.cfg.Opened()
	return nil
}

func (h *Host) rollback(taskType string) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.closed {
		return core.Errorf(core.CodeUnavailable, "the plugin host is closed")
	}
	old := h.current.Load()
	next, err := old.swapped(taskType, h.number+1)
	if err != nil {
		return err
	}
	h.number++
	now := next.slots[taskType]
	now.breaker.release() // whoever asks for it wants it to run
	h.cfg.Logger.Warn("plugin rolled back", "type", taskType, "plugin", now.manifest.id(), "sha256", now.digest,
		"from", old.slots[taskType].manifest.id(), "listed", !next.rolledBack[taskType])
	h.swap(next)
	h.cfg.Tell(after(now.event(core.TypePluginRolledBack), old.slots[taskType]))
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
	h.loading.Lock()
	defer h.loading.Unlock()
	if h.isClosed() {
		return nil
	}
	h.changing.Lock()
	h.closed = true
	old := h.current.Swap(nil)
	h.changing.Unlock()
	stop := context.AfterFunc(ctx, h.hurry)
	defer stop()
	err := retire(ctx, old.without(newGeneration(0)))
	h.draining.Wait()
	h.hurry()
	h.egress.close()
	return err
}

func (h *Host) isClosed() bool {
	h.changing.Lock()
	defer h.changing.Unlock()
	return h.closed
}

var errClosed = errors.New("host: closed")

// swap makes next current and lets the plugins that nobody needs any more finish
// in the background.
func (h *Host) swap(next *generation) {
	old := h.current.Swap(next)
	h.cfg.Logger.Info("plugins loaded", "generation", next.number, "loaded", next.loaded(), "failed", next.failed())
	gone := old.without(next)
	if len(gone) == 0 {
		return
	}
	h.draining.Go(func() {
		ctx, cancel := context.WithTimeout(h.patience, h.cfg.DrainTimeout)
		defer cancel()
		if err := retire(ctx, gone); err != nil {
			h.cfg.Logger.Warn("a replaced plugin was not released", "generation", old.number, "error", err)
		}
	})
}

var (
	_ core.Invoker       = (*Host)(nil)
	_ core.TypeCatalogue = (*Host)(nil)
)
