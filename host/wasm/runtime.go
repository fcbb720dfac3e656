package wasm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nexuscore/scheduler/host"
)

// pageSize is the unit of linear memory.
const pageSize = 64 << 10

// Config is what a Runtime is made of.
type Config struct {
	// CacheDir keeps compiled modules between starts. It is created with mode
	// 0700 and must not be writable by others: who can write there decides which
	// machine code the server runs. Empty keeps compiled code in memory only.
	CacheDir string

	// MaxModule is the largest module in bytes. Defaults to 64 MiB.
	MaxModule host.Size

	// Logger defaults to none.
	Logger hclog.Logger
}

// Runtime loads WebAssembly modules. Load is safe for concurrent use.
type Runtime struct {
	cfg   Config
	cache wazero.CompilationCache
	busy  sync.WaitGroup // compilations, and closings that had to be left to themselves
}

// New makes a Runtime. It fails when the cache directory cannot be used, or is
// open to others.
func New(cfg Config) (*Runtime, error) {
	if cfg.MaxModule <= 0 {
		cfg.MaxModule = 64 * host.MiB
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	cache, err := openCache(cfg.CacheDir)
	if err != nil {
		return nil, err
	}
	return &Runtime{cfg: cfg, cache: cache}, nil
}

func openCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return wazero.NewCompilationCache(), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create plugin cache: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open plugin cache: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("open plugin cache: %s can be written by other users, who could then run code in the server; run chmod 700 on it", dir)
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open plugin cache: %w", err)
	}
	return cache, nil
}

// Load implements host.Runtime: it checks the module, then compiles it. The
// compiler may be slow to notice that ctx ended; Load then returns and leaves
// it behind.
func (r *Runtime) Load(ctx context.Context, a host.Artifact) (host.Plugin, error) {
	if host.Size(len(a.Bytes)) > r.cfg.MaxModule {
		return nil, fmt.Errorf("module of %d bytes, at most %s are allowed", len(a.Bytes), r.cfg.MaxModule)
	}
	m, err := parseModule(a.Bytes)
	if err != nil {
		return nil, err
	}
	if err := m.check(a.Limits.Memory); err != nil {
		return nil, err
	}
	type loaded struct {
		plugin *plugin
		err    error
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compile module: %w", err)
	}
	done := make(chan loaded, 1)
	r.busy.Go(func() {
		p, err := r.compile(ctx, a, m)
		done <- loaded{p, err}
	})
	select {
	case l := <-done:
		if l.err != nil {
			return nil, l.err
		}
		return l.plugin, nil
	case <-ctx.Done():
		r.busy.Go(func() { // the compiler's result is dropped when it comes
			if l := <-done; l.err == nil {
				_ = l.plugin.Close(context.WithoutCancel(ctx))
			}
		})
		return nil, fmt.Errorf("compile module: %w", context.Cause(ctx))
	}
}

// compile prepares an engine of the plugin's own. Compiled code comes from the
// cache, which all engines of the Runtime share. The engine has no memory limit
// of its own: it would refuse growth before guarded sees it, and a refusal
// that goes unseen cannot be told from a trap.
func (r *Runtime) compile(ctx context.Context, a host.Artifact, m *module) (_ *plugin, err error) {
	cfg := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithCompilationCache(r.cache).
		WithCloseOnContextDone(true)
	engine := wazero.NewRuntimeWithConfig(ctx, cfg)
	defer func() {
		if err != nil {
			_ = engine.Close(context.WithoutCancel(ctx))
		}
	}()
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, engine); err != nil {
		return nil, fmt.Errorf("prepare engine: %w", err)
	}
	if err := m.checkSystem(engine.Module(wasi_snapshot_preview1.ModuleName).ExportedFunctionDefinitions()); err != nil {
		return nil, err
	}
	if err := instantiateHost(ctx, engine); err != nil {
		return nil, fmt.Errorf("prepare engine: %w", err)
	}
	compiled, err := engine.CompileModule(ctx, m.capTables(a.Bytes))
	if err != nil {
		return nil, fmt.Errorf("compile module: %w", err)
	}
	return &plugin{engine: engine, compiled: compiled, describes: m.describes(), later: &r.busy, limits: a.Limits, logger: a.Logger}, nil
}

// Close releases the compiled code that is kept in memory. Close all plugins
// first, and load none after. It waits for compilations and runs that were left
// behind; when ctx ends first, it releases nothing and says so.
func (r *Runtime) Close(ctx context.Context) error {
	if err := waitFor(ctx, &r.busy); err != nil {
		return fmt.Errorf("close plugin cache: a module is still in use: %w", err)
	}
	if err := r.cache.Close(ctx); err != nil {
		return fmt.Errorf("close plugin cache: %w", err)
	}
	return nil
}

// waitFor waits until the group is done, or ctx.
func waitFor(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errStuck = errors.New("a run that was ended is still computing; the plugin is held until it stops")

var _ host.Runtime = (*Runtime)(nil)
