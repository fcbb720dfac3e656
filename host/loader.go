package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

const maxArtifact = 256 << 20 // bytes of a plugin's file, whatever its runtime allows

// build loads every entry of a file into a new generation. It always returns
// one; entries that fail carry their problem.
func (h *Host) build(ctx context.Context, f file) *generation {
	h.number++
	g := newGeneration(h.number)
	for _, e := range f.entries {
		g.add(h.slot(ctx, e))
	}
	return g
}

// slot loads one entry and says so in the log.
func (h *Host) slot(ctx context.Context, e entry) *slot {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.LoadTimeout)
	defer cancel()

	clock := core.SystemClock{}
	start := clock.Now()
	s := &slot{entry: e, problem: e.problem, free: make(chan struct{}, e.limits.Concurrency)}
	if s.problem == nil {
		s.problem = h.load(ctx, s)
	}
	logger := h.cfg.Logger.With("type", e.taskType, "runtime", e.runtime, "source", e.source)
	if s.problem != nil {
		s.discard(ctx)
		logger.Error("plugin is not loaded", "error", s.problem)
		return s
	}
	s.loadedAt = clock.Now()
	logger.Info("plugin loaded", "plugin", s.manifest.id(), "sha256", s.digest, "took", s.loadedAt.Sub(start).Round(time.Millisecond))
	return s
}

// load verifies, prepares and questions the plugin of an entry.
func (h *Host) load(ctx context.Context, s *slot) error {
	e := s.entry
	runtime, ok := h.cfg.Runtimes[e.runtime]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(h.cfg.Runtimes)), ", ")
		return fmt.Errorf("runtime %.64q is not available; this server has %s", e.runtime, known)
	}
	program, err := readBounded(e.path, maxArtifact)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist; build the plugin, or correct source", e.path)
	}
	if err != nil {
		return fmt.Errorf("read plugin: %w", err)
	}
	sum := sha256.Sum256(program)
	s.digest = hex.EncodeToString(sum[:])
	if e.sha256 != "" && e.sha256 != s.digest {
		return fmt.Errorf("%s has sha256 %s, and plugins.yaml demands %s; deploy the file that was meant, or correct sha256", e.path, s.digest, e.sha256)
	}
	s.plugin, err = runtime.Load(ctx, Artifact{
		Type: e.taskType, Source: e.path, Digest: s.digest, Bytes: program, Limits: e.limits, Init: e.init,
		Logger: h.cfg.Logger.Named(e.runtime).With("type", e.taskType),
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", e.path, err)
	}
	return s.question(ctx)
}

// question asks the plugin for its manifest and holds it against the entry.
func (s *slot) question(ctx context.Context) error {
	frame, err := s.plugin.Describe(ctx)
	if err != nil {
		return fmt.Errorf("ask the plugin for its manifest: %w", err)
	}
	if s.manifest, err = readManifest(s.entry.taskType, frame); err != nil {
		return err
	}
	if err := s.manifest.checkGrants(s.entry.grants); err != nil {
		return err
	}
	return s.manifest.checkConfig(s.entry.config)
}

// discard releases a plugin that is not going to be used.
func (s *slot) discard(ctx context.Context) {
	if s.plugin == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = s.plugin.Close(ctx) // the reason for discarding it is what is reported
	s.plugin = nil
}
