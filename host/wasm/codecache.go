package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"

	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// codeCache keeps compiled code: in memory as long as a plugin uses it, so that
// plugins of the same module share it, and sealed on disk between starts.
//
// The engine's own cache trusts its directory: what lies there is run as machine
// code. So it gets a scratch directory for each compilation, into which nothing
// comes but what the seal proves to be written by this server.
type codeCache struct {
	vault   *vault // nil keeps code in memory only
	scratch string // parent of scratch directories
	logger  hclog.Logger

	mu      sync.Mutex
	modules map[string]*compiledCode
}

// compiledCode is the code of one module, with the engine it was compiled for.
type compiledCode struct {
	id      string
	cache   wazero.CompilationCache
	scratch *scratch // nil without a vault

	users int        // guarded by codeCache.mu
	mu    sync.Mutex // one compilation at a time: the second finds what the first made
}

// codeID identifies compiled code by all that decides it, but for the
// processor, which the engine looks at itself.
func codeID(m *loader.Module) string {
	h := sha256.New()
	fmt.Fprintf(h, "loader %d engine %s %s/%s\n", loader.Version, engineVersion(), runtime.GOOS, runtime.GOARCH)
	h.Write(m.Bytes)
	return hex.EncodeToString(h.Sum(nil))
}

// engineVersion is the version of the engine's module in this program.
func engineVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				return dep.Version
			}
		}
	}
	return "unknown"
}

// acquire returns the module's code, compiled or not yet. Every acquire needs a
// release.
func (c *codeCache) acquire(id string) (*compiledCode, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code, ok := c.modules[id]; ok {
		code.users++
		return code, nil
	}
	code := &compiledCode{id: id, users: 1}
	if c.vault == nil {
		code.cache = wazero.NewCompilationCache()
	} else if err := code.open(c.scratch); err != nil {
		return nil, err
	}
	c.modules[id] = code
	return code, nil
}

func (c *compiledCode) open(parent string) (err error) {
	if c.scratch, err = openScratch(parent); err != nil {
		return fmt.Errorf("prepare compilation: %w", err)
	}
	if c.cache, err = wazero.NewCompilationCacheWithDir(c.scratch.path); err != nil {
		c.scratch.close()
		return fmt.Errorf("prepare compilation: %w", err)
	}
	return nil
}

// release gives the code back; close the engine that uses it first.
func (c *codeCache) release(ctx context.Context, code *compiledCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code.users--; code.users > 0 {
		return
	}
	delete(c.modules, code.id)
	if err := code.cache.Close(ctx); err != nil {
		c.logger.Warn("compiled code is not released", "error", err)
	}
	if code.scratch != nil {
		code.scratch.close()
	}
}

// compile calls f, which compiles the module with the code's cache, with what
// is on disk put before the engine, and keeps on disk what is new.
func (c *codeCache) compile(code *compiledCode, f func() error) error {
	code.mu.Lock()
	defer code.mu.Unlock()
	if c.vault == nil {
		return f()
	}
	found := c.unpack(code)
	defer code.clean()
	if err := f(); err != nil {
		return err
	}
	if !found {
		c.pack(code)
	}
	return nil
}

// unpack puts the code that is on disk into the scratch directory. Without it,
// whatever the reason, the module is compiled.
func (c *codeCache) unpack(code *compiledCode) bool {
	e, err := c.vault.load(code.id)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = e.writeTo(code.scratch.path)
	}
	if err != nil {
		c.logger.Warn("compiled code on disk is not used; the module is compiled anew", "entry", c.vault.path(code.id), "error", err)
		return false
	}
	c.logger.Debug("compiled code comes from disk", "entry", c.vault.path(code.id))
	return true
}

// pack seals what the engine wrote. A failure costs the next start some time,
// and nothing else.
func (c *codeCache) pack(code *compiledCode) {
	e, err := findEntry(code.scratch.path)
	if err == nil && e.path == "" {
		return // it was in memory
	}
	if err == nil {
		err = c.vault.store(code.id, e)
	}
	if err != nil {
		c.logger.Warn("compiled code is not kept on disk", "error", err)
	}
}

// clean empties the scratch directory, and keeps its directories for the engine.
func (c *compiledCode) clean() {
	_ = filepath.WalkDir(c.scratch.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_ = os.Remove(path) //nolint:gosec // nobody else can write there
		}
		return nil
	})
}
