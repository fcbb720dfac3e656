package wasm

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// Config is what a Runtime is made of.
type Config struct {
	// CacheDir keeps compiled modules between starts. It is created with mode
	// 0700. Empty keeps compiled code in memory only.
	CacheDir string

	// KeyFile holds the key that seals the entries of CacheDir, and is made if it
	// is missing. It must lie outside of CacheDir, where compiling takes its
	// scratch space too. Defaults to CacheDir with .key behind it.
	KeyFile string

	// Computing is how many modules compute at once; others wait for their turn.
	// Defaults to one less than the processors that the program uses, and at
	// least one.
	Computing int

	// MaxModule is the largest module in bytes. Defaults to 64 MiB.
	MaxModule host.Size

	// Logger defaults to none.
	Logger hclog.Logger
}

// Runtime loads WebAssembly modules. Load is safe for concurrent use.
type Runtime struct {
	cfg   Config
	codes *codeCache
	slots *slots
	pages *pagemap       // nil where the kernel has none
	stack error          // why calls do not run on stacks of ours
	busy  sync.WaitGroup // compilations
}

// New makes a Runtime. It fails when the cache directory or its key cannot be
// used, or are open to others.
func New(cfg Config) (*Runtime, error) {
	if cfg.MaxModule <= 0 {
		cfg.MaxModule = 64 * host.MiB
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	codes := &codeCache{logger: cfg.Logger, modules: map[string]*compiledCode{}}
	if cfg.CacheDir != "" {
		if cfg.KeyFile == "" {
			cfg.KeyFile = filepath.Clean(cfg.CacheDir) + ".key"
		}
		var err error
		if codes.vault, err = openVault(cfg.CacheDir, cfg.KeyFile); err != nil {
			return nil, err
		}
		codes.scratch = filepath.Dir(cfg.KeyFile)
		removeLeftScratch(codes.scratch, cfg.Logger)
	}
	pages, err := openPagemap()
	if err != nil {
		cfg.Logger.Info("runs are put back by dropping all of their memory, which is slower", "reason", err)
	}
	r := &Runtime{cfg: cfg, codes: codes, slots: newSlots(cfg.Computing), pages: pages, stack: tryStack(context.Background())}
	if r.stack != nil {
		cfg.Logger.Warn("deep calls of modules are not bounded by a stack of their own", "reason", r.stack)
	}
	return r, nil
}

// Load implements host.Runtime: it rewrites and checks the module, compiles it
// and runs its initialization. The compiler may be slow to notice that ctx
// ended; Load then returns and leaves it behind.
func (r *Runtime) Load(ctx context.Context, a host.Artifact) (host.Plugin, error) {
	if host.Size(len(a.Bytes)) > r.cfg.MaxModule {
		return nil, fmt.Errorf("module of %d bytes, at most %s are allowed", len(a.Bytes), r.cfg.MaxModule)
	}
	m, err := loader.Load(a.Bytes)
	if err != nil {
		return nil, err
	}
	if err := check(m, a.Limits.Memory); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("compile module: %w", context.Cause(ctx))
	}
	type loaded struct {
		plugin *plugin
		err    error
	}
	done := make(chan loaded, 1)
	r.busy.Go(func() {
		p, err := r.prepare(ctx, a, m)
		done <- loaded{p, err}
	})
	select {
	case l := <-done:
		if l.err != nil {
			return nil, l.err
		}
		return l.plugin, nil
	case <-ctx.Done():
		r.busy.Go(func() { // what comes of it is dropped
			if l := <-done; l.err == nil {
				_ = l.plugin.Close(context.WithoutCancel(ctx))
			}
		})
		return nil, fmt.Errorf("compile module: %w", context.Cause(ctx))
	}
}

// prepare makes a plugin of a module that was checked.
func (r *Runtime) prepare(ctx context.Context, a host.Artifact, m *loader.Module) (_ *plugin, err error) {
	code, err := r.codes.acquire(codeID(m))
	if err != nil {
		return nil, err
	}
	p := &plugin{
		loaded: m, slots: r.slots, limits: a.Limits, logger: a.Logger, perRun: m.Stateful || a.Init == host.InitPerRun,
		engine:  newEngine(ctx, code.cache),
		release: func(ctx context.Context) { r.codes.release(ctx, code) }, held: r.Confinement(),
	}
	defer func() {
		if err != nil {
			_ = p.Close(context.WithoutCancel(ctx))
		}
	}()
	for _, add := range []func(context.Context, wazero.Runtime) error{instantiateSystem, instantiateHost, instantiateYield} {
		if err := add(ctx, p.engine); err != nil {
			return nil, fmt.Errorf("prepare engine: %w", err)
		}
	}
	err = r.codes.compile(code, func() error {
		p.compiled, err = p.engine.CompileModule(experimental.WithCompilationWorkers(ctx, compileWorkers), m.Bytes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("compile module: %w", err)
	}
	m.Bytes = nil
	if err := p.takeTemplate(ctx, r.pages); err != nil {
		return nil, err
	}
	if m.Stateful {
		a.Logger.Info("the module changes tables, or has other state that cannot be saved; every run initializes it anew")
	}
	return p, nil
}

// compileWorkers is two because a single worker does not look at the context.
const compileWorkers = 2

// newEngine makes an engine with the compiled code of a cache. Nothing in it
// interrupts a module: the loader's yields do. It has no memory limit of its
// own: it would refuse growth before space sees it, and a refusal that goes
// unseen cannot be told from a trap.
func newEngine(ctx context.Context, cache wazero.CompilationCache) wazero.Runtime {
	return wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithCompilationCache(cache).
		WithCloseOnContextDone(false))
}

// Close releases what all plugins share. Close them first, and load none after.
// It waits for compilations that were left behind; when ctx ends first, it
// releases nothing and says so.
func (r *Runtime) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		r.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
		r.pages.close()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close wasm runtime: a module is still being compiled: %w", ctx.Err())
	}
}

// Confinement says what holds modules on this machine, as host.Confined does.
func (r *Runtime) Confinement() map[string]string {
	words := map[string]string{"sandbox": "on", "resetByPages": "on", "stack": "on"}
	if r.pages == nil {
		words["resetByPages"] = "off: the kernel cannot tell which pages a run wrote (PAGEMAP_SCAN), so all of its memory is put back; use Linux 6.7 or later for faster runs"
	}
	if r.stack != nil {
		words["stack"] = fmt.Sprintf("off: %v, so the calls of a module run on one that grows by copying, up to 84 MB beside limits.memory, and holds the server up meanwhile; use Linux on amd64 or arm64", r.stack)
	}
	return words
}

var (
	_ host.Runtime  = (*Runtime)(nil)
	_ host.Confined = (*Runtime)(nil)
)
