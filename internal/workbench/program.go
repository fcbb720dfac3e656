package workbench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/process"
	"github.com/nexuscore/scheduler/host/wasm"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// The runtimes, as plugins.yaml names them.
const (
	Wasm    = "wasm"
	Process = "process"
)

const maxProgram = 256 << 20 // bytes

// Program is a plugin's file and what it says about itself.
type Program struct {
	Path     string // absolute
	Runtime  string // Wasm or Process
	Size     int
	Digest   string // sha256, hex
	Manifest wire.Manifest
	content  []byte
}

// Bench has the runtimes that programs run in. It is safe for concurrent use;
// Close it at the end.
type Bench struct {
	runtimes map[string]host.Runtime
	close    func(context.Context) error
	logger   hclog.Logger
}

// New makes a bench. cacheDir keeps compiled modules from use to use; "" keeps
// none. logger may be nil.
func New(cacheDir string, logger hclog.Logger) (*Bench, error) {
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	modules, err := wasm.New(wasm.Config{CacheDir: cacheDir, Logger: logger})
	if err != nil {
		return nil, err
	}
	b := &Bench{runtimes: map[string]host.Runtime{Wasm: modules}, close: func(context.Context) error { return nil }, logger: logger}
	if processes, err := process.New(process.Config{Logger: logger}); err == nil {
		b.runtimes[Process], b.close = processes, processes.Close
	}
	return b, nil
}

// Close ends what runs.
func (b *Bench) Close(ctx context.Context) error { return b.close(ctx) }

// Read reads a program and asks it for its manifest, in a run in which it can
// call nothing. The error says what is wrong with the program.
func (b *Bench) Read(ctx context.Context, path string) (Program, error) {
	p, err := readProgram(path)
	if err != nil {
		return Program{}, err
	}
	runtime, ok := b.runtimes[p.Runtime]
	if !ok {
		return Program{}, fmt.Errorf("%s is for runtime: %s, which this system does not have", path, p.Runtime)
	}
	plugin, err := runtime.Load(ctx, host.Artifact{
		Type: typeOf(path), Source: p.Path, Digest: p.Digest, Bytes: p.content, Limits: limits(), Init: host.InitImage, Logger: b.logger,
	})
	if err != nil {
		return Program{}, fmt.Errorf("load %s: %w", path, err)
	}
	defer func() { _ = plugin.Close(context.WithoutCancel(ctx)) }() // it was only asked
	frame, err := plugin.Describe(ctx)
	if err != nil {
		return Program{}, fmt.Errorf("ask %s for its manifest: %w", path, err)
	}
	if frame == nil {
		p.Manifest = wire.Manifest{ABI: wire.ABI, Name: typeOf(path), Version: "0.0.0"}
		return p, nil
	}
	if _, err := wire.Decode(frame, &p.Manifest); err != nil {
		return Program{}, fmt.Errorf("read the manifest of %s: %w", path, err)
	}
	return p, nil
}

// limits are those that plugins.yaml has by default.
func limits() host.Limits {
	return host.Limits{
		Memory: host.DefaultMemory, Timeout: time.Minute, Output: host.DefaultOutput, Logs: host.DefaultLogs,
		HostCalls: host.DefaultHostCalls, Concurrency: 1, KV: host.DefaultKV,
	}
}

// readProgram reads the file and finds out what it is.
func readProgram(path string) (Program, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Program{}, err
	}
	info, err := os.Stat(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Program{}, fmt.Errorf("%s does not exist; build it with `scheduler plugin build`", path)
	case err != nil:
		return Program{}, err
	case info.IsDir():
		return Program{}, fmt.Errorf("%s is a directory; name the program in it, a .wasm file or an executable", path)
	case info.Size() > maxProgram:
		return Program{}, fmt.Errorf("%s is larger than %d MiB", path, maxProgram>>20)
	}
	content, err := os.ReadFile(absolute) //nolint:gosec // whoever asks names the file
	if err != nil {
		return Program{}, err
	}
	sum := sha256.Sum256(content)
	p := Program{Path: absolute, Size: len(content), Digest: hex.EncodeToString(sum[:]), content: content}
	switch {
	case bytes.HasPrefix(content, []byte("\x00asm")):
		p.Runtime = Wasm
	case bytes.HasPrefix(content, []byte("\x7fELF")):
		p.Runtime = Process
	default:
		return Program{}, fmt.Errorf("%s is neither a WebAssembly module nor a Linux program", path)
	}
	return p, nil
}

// typeOf is the task type that a file without a manifest is named after.
func typeOf(path string) string {
	name := strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name)
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "plugin" + name
	}
	return name[:min(len(name), 64)]
}
