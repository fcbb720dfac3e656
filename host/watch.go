package host

import (
	"context"
	"time"
)

// look sums up what is listed now.
func (h *Host) look(ctx context.Context) sighting {
	docs, known, err := h.source.look(ctx)
	if !known {
		return *h.seen.Load()
	}
	return sightingOf(docs, err)
}

// read reads what is listed now.
func (h *Host) read(ctx context.Context) (file, error) {
	docs, err := h.source.read(ctx)
	s := sightingOf(docs, err)
	h.seen.Store(&s)
	if err != nil {
		return file{}, err
	}
	return h.parse(docs)
}

func (h *Host) parse(docs []document) (file, error) {
	return fileReader{environ: h.cfg.Environ, timeout: h.cfg.DefaultTimeout}.read(docs)
}

// keep lets the source remember what is in force, for a time when it cannot be
// read.
func (h *Host) keep(f file) {
	if err := h.source.keep(f.docs); err != nil {
		h.cfg.Logger.Warn("the list of plugins cannot be kept; a restart depends on its source", "error", err)
	}
}

// Watch reloads whenever what lists the plugins has another content than the last
// Load or Reload has seen, until ctx ends. It looks every so often, which works on all
// file systems and with files that are replaced, and waits until the content has
// stayed the same from one look to the next, so that a file that is being
// written is left alone. What cannot be loaded is logged once and changes
// nothing.
func (h *Host) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := h.look(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := h.look(ctx)
		settled := now == last
		last = now
		if !settled || now == *h.seen.Load() {
			continue
		}
		h.cfg.Logger.Info("the list of plugins has changed", "from", h.from)
		bounded, cancel := context.WithTimeout(ctx, reloadTime)
		err := h.Reload(bounded)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.cfg.Logger.Error("the list of plugins has changed and cannot be used; what was loaded goes on", "from", h.from, "error", err)
		}
	}
}

// reloadTime bounds a reload that nobody waits for.
const reloadTime = 5 * time.Minute
