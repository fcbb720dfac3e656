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
)

const maxArtifact = 256 << 20 // bytes of a plugin's file, whatever its runtime allows

// prepare loads what the entries of a file stand for and is not there yet.
// Entries that fail carry their problem. again is for a list that nobody asks to
// be read and that is the same: what works is left as it is, whatever its program
// is now, unless the reload that failed was to change it.
func (h *Host) prepare(ctx context.Context, f file, again bool) []candidate {
	all := make([]candidate, 0, len(f.entries))
	for _, e := range f.entries {
		c, ok := h.current.Load().listed(e)
		if !again || !ok || h.owed[e.taskType] {
			c = h.candidate(ctx, e)
		}
		all = append(all, c)
	}
	return all
}

// candidate loads one entry, unless that has been done, and says so in the log.
func (h *Host) candidate(ctx context.Context, e entry) candidate {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.LoadTimeout)
	defer cancel()

	start := h.clock.Now()
	s := newSlot(e)
	var program []byte
	if s.problem == nil {
		program, s.digest, s.problem = h.verified(e)
	}
	if s.problem == nil && h.current.Load().known(e, s.digest) {
		return candidate{entry: e, digest: s.digest}
	}
	if s.problem == nil {
		s.problem = h.load(ctx, s, program)
		h.cfg.Observer.ObserveLoad(e.runtime, s.problem == nil, h.clock.Now().Sub(start))
	}
	logger := h.cfg.Logger.With("type", e.taskType, "runtime", e.runtime, "source", e.source)
	if s.problem != nil {
		_ = s.close(ctx) // the reason for it is what is reported
		s.plugin = nil
		if text := s.problem.Error(); h.told[e.taskType] != text {
			h.told[e.taskType] = text
			logger.Error("plugin is not loaded", "error", s.problem)
		}
		return candidate{e, s.digest, s}
	}
	delete(h.told, e.taskType)
	s.loadedAt = h.clock.Now()
	logger.Info("plugin loaded", "plugin", s.manifest.id(), "sha256", s.digest, "took", s.loadedAt.Sub(start).Round(time.Millisecond))
	return candidate{e, s.digest, s}
}

// verified reads the program of an entry for a runtime that is there, and checks
// its digest.
func (h *Host) verified(e entry) (program []byte, digest string, err error) {
	if _, ok := h.cfg.Runtimes[e.runtime]; !ok {
		known := strings.Join(slices.Sorted(maps.Keys(h.cfg.Runtimes)), ", ")
		return nil, "", fmt.Errorf("runtime %.64q is not available; this server has %s", e.runtime, known)
	}
	program, err = readBounded(e.path, maxArtifact)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s does not exist; build the plugin, or correct source", e.path)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read plugin: %w", err)
	}
	sum := sha256.Sum256(program)
	digest = hex.EncodeToString(sum[:])
	if e.sha256 != "" && e.sha256 != digest {
		return nil, digest, fmt.Errorf("%s has sha256 %s, and plugins.yaml demands %s; deploy the file that was meant, or correct sha256", e.path, digest, e.sha256)
	}
	return program, digest, nil
}

// load prepares and questions the plugin of an entry.
func (h *Host) load(ctx context.Context, s *slot, program []byte) (err error) {
	e := s.entry
	s.plugin, err = h.cfg.Runtimes[e.runtime].Load(ctx, Artifact{
		Type: e.taskType, Source: e.path, Digest: s.digest, Bytes: program, Limits: e.limits, Init: e.init,
		Logger: h.cfg.Logger.Named(e.runtime).With("type", e.taskType),
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", e.path, err)
	}
	if err := s.question(ctx); err != nil {
		return err
	}
	return s.rehearse(ctx, h.clock.Now())
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
	if err := s.manifest.checkLimits(s.entry.limits); err != nil {
		return err
	}
	return s.manifest.checkConfig(s.entry.config)
}

// unload releases candidates that are not going to be used.
func unload(ctx context.Context, all []candidate) {
	for _, c := range all {
		if c.slot != nil {
			_ = c.slot.close(ctx) // the reason for discarding it is what is reported
		}
	}
}
