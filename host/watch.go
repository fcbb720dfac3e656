package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"time"
)

// sighting is the content of plugins.yaml at some time; the zero value stands
// for no file.
type sighting [sha256.Size]byte

// look reads what is written now. What is no regular file is left alone: reading
// it may wait for somebody, and take away what he writes.
func (h *Host) look() sighting {
	if info, err := os.Stat(h.cfg.Path); err == nil && !info.Mode().IsRegular() {
		return *h.seen.Load()
	}
	return sightingOf(readBounded(h.cfg.Path, maxFile))
}

// sightingOf sums up what reading gave. A file that cannot be read is told by the
// reload that follows.
func sightingOf(text []byte, err error) sighting {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sighting{}
	case err != nil:
		return sha256.Sum256([]byte("unreadable: " + err.Error()))
	}
	return sha256.Sum256(text)
}

// Watch reloads whenever plugins.yaml has another content than the last Load or
// Reload has seen, until ctx ends. It looks every so often, which works on all
// file systems and with files that are replaced, and waits until the content has
// stayed the same from one look to the next, so that a file that is being
// written is left alone. What cannot be loaded is logged once and changes
// nothing.
func (h *Host) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := h.look()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := h.look()
		settled := now == last
		last = now
		if !settled || now == *h.seen.Load() {
			continue
		}
		h.cfg.Logger.Info("plugins.yaml has changed", "path", h.cfg.Path)
		bounded, cancel := context.WithTimeout(ctx, reloadTime)
		err := h.Reload(bounded)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.cfg.Logger.Error("plugins.yaml has changed and cannot be used; what was loaded goes on", "error", err)
		}
	}
}

// reloadTime bounds a reload that nobody waits for.
const reloadTime = 5 * time.Minute
