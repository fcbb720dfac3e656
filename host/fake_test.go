package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// fakeRuntime makes plugins whose program is a word: what they are called in
// fakeRuntime.programs.
type fakeRuntime struct {
	mu       sync.Mutex
	programs map[string]*fakeProgram
	open     int // plugins loaded and not closed
	loads    []host.Artifact
}

// fakeProgram is what a fake plugin says and does.
type fakeProgram struct {
	manifest wire.Manifest
	handle   func(ctx context.Context, request []byte, caller host.Caller) ([]byte, error)
	mute     bool   // has no manifest
	loading  func() // called while it is loaded
}

func newFakeRuntime() *fakeRuntime { return &fakeRuntime{programs: map[string]*fakeProgram{}} }

// program adds a program that answers with its own name.
func (r *fakeRuntime) program(name string) *fakeProgram {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &fakeProgram{manifest: wire.Manifest{ABI: wire.ABI, Name: name, Version: "1.0.0"}}
	p.handle = func(context.Context, []byte, host.Caller) ([]byte, error) {
		return wire.Encode(wire.Response{}, fmt.Appendf(nil, "%q", name))
	}
	r.programs[name] = p
	return p
}

func (r *fakeRuntime) Load(_ context.Context, a host.Artifact) (host.Plugin, error) {
	r.mu.Lock()
	p, ok := r.programs[strings.TrimSpace(string(a.Bytes))]
	r.mu.Unlock()
	if !ok {
		return nil, errors.New("broken program")
	}
	if p.loading != nil {
		p.loading()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	r.loads = append(r.loads, a)
	return &fakePlugin{runtime: r, program: p}, nil
}

func (r *fakeRuntime) opened() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// loaded counts the programs that were loaded.
func (r *fakeRuntime) loaded() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.loads)
}

func (r *fakeRuntime) limits() host.Limits {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loads[len(r.loads)-1].Limits
}

type fakePlugin struct {
	runtime *fakeRuntime
	program *fakeProgram
	closed  bool
	running int
}

func (p *fakePlugin) Describe(context.Context) ([]byte, error) {
	if p.program.mute {
		return nil, nil
	}
	return wire.Encode(p.program.manifest, nil)
}

func (p *fakePlugin) Handle(ctx context.Context, request []byte, caller host.Caller) ([]byte, error) {
	if !p.enter() {
		return nil, errors.New("run on a closed plugin")
	}
	defer p.leave()
	return p.program.handle(ctx, request, caller)
}

func (p *fakePlugin) enter() bool {
	p.runtime.mu.Lock()
	defer p.runtime.mu.Unlock()
	if !p.closed {
		p.running++
	}
	return !p.closed
}

func (p *fakePlugin) leave() {
	p.runtime.mu.Lock()
	defer p.runtime.mu.Unlock()
	p.running--
}

func (p *fakePlugin) Close(context.Context) error {
	p.runtime.mu.Lock()
	defer p.runtime.mu.Unlock()
	if p.closed {
		return errors.New("closed twice")
	}
	if p.running > 0 {
		return errors.New("closed while it runs")
	}
	p.closed = true
	p.runtime.open--
	return nil
}

// house is a host over a fake runtime in a directory of its own.
type house struct {
	*host.Host
	runtime *fakeRuntime
	dir     string
	env     map[string]string
	clock   *coretest.Clock
	log     *lockedBuffer
}

func newHouse(t *testing.T) *house {
	h := &house{runtime: newFakeRuntime(), dir: t.TempDir(), env: map[string]string{}, clock: coretest.NewClock(t), log: &lockedBuffer{}}
	h.Host = host.New(host.Config{
		Path:     filepath.Join(h.dir, "plugins.yaml"),
		Runtimes: map[string]host.Runtime{"fake": h.runtime, "wasm": h.runtime, "process": h.runtime},
		Environ:  func(name string) (string, bool) { v, ok := h.env[name]; return v, ok },
		Clock:    h.clock,
		Logger:   hclog.New(&hclog.LoggerOptions{Output: h.log}),
	})
	t.Cleanup(func() {
		require.NoError(t, h.Close(context.Background()))
		require.Zero(t, h.runtime.opened(), "plugins are released")
	})
	return h
}

// file writes a file of the directory.
func (h *house) file(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
}

// text reads a file of the directory.
func (h *house) text(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	require.NoError(t, err)
	return string(text)
}

// list writes a plugins.yaml with the given lines for one plugin "x" whose
// program is "good".
func (h *house) list(t *testing.T, lines ...string) {
	t.Helper()
	h.file(t, "good", "good")
	h.file(t, "plugins.yaml", "plugins:\n  - type: x\n    runtime: fake\n    source: good\n    "+strings.Join(lines, "\n    ")+"\n")
}

func (h *house) load(t *testing.T) {
	t.Helper()
	require.NoError(t, h.Load(t.Context()))
}

// status returns what is known of a type.
func (h *house) status(t *testing.T, taskType string) core.PluginStatus {
	t.Helper()
	for _, p := range h.Plugins() {
		if p.Type == taskType {
			return p
		}
	}
	t.Fatalf("%s is not listed", taskType)
	return core.PluginStatus{}
}

// invoke runs a type once.
func (h *house) invoke(t *testing.T, taskType string) (core.Outcome, error) {
	t.Helper()
	return h.Invoke(t.Context(), core.Invocation{ExecutionID: "e", Type: taskType, Attempt: 1})
}

func failureCode(err error) core.Code { return core.FailureOf(err).Code }
