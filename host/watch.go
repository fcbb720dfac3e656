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
//
// While not all that is listed can be used it tries again, at first after a few
// seconds and then ever more seldom, since the reason may lie elsewhere: a program
// that is copied after the list, a service that does not answer. The log is told
// again when the reason is another one.
func (h *Host) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := h.look(ctx)
	next := &again{}
	if h.wanting() {
		next.after(last, h.clock.Now())
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := h.look(ctx)
		settled := now == last
		last = now
		changed := now != *h.seen.Load()
		if !settled || !changed && !h.wanting() || !next.due(now, h.clock.Now()) {
			continue
		}
		h.reloadByItself(ctx, changed && now != next.of, next)
		if h.wanting() {
			next.after(now, h.clock.Now())
		} else {
			*next = again{}
		}
	}
}

// reloadByItself reloads and tells the log about it, unless it has been told the
// same.
func (h *Host) reloadByItself(ctx context.Context, changed bool, next *again) {
	if changed {
		h.cfg.Logger.Info("the list of plugins has changed", "from", h.from)
	}
	bounded, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	h.loading.Lock()
	defer h.loading.Unlock()
	err := h.reload(bounded, true)
	if err == nil || ctx.Err() != nil {
		next.told = ""
		return
	}
	if text := err.Error(); changed || text != next.told {
		next.told = text
		h.cfg.Logger.Error("the list of plugins cannot be used; what was loaded goes on, and it is tried again", "from", h.from, "error", err)
	}
}

// wanting tells whether not all that is listed is in force.
func (h *Host) wanting() bool {
	g := h.current.Load()
	return g != nil && (!h.last.Load().fine() || len(g.failed()) > 0)
}

// again says when a list that could not be used is tried again.
type again struct {
	of   sighting // the list
	at   time.Time
	wait time.Duration
	told string // to the log
}

// The first wait, which then doubles, and the longest one.
const (
	minAgain = 2 * time.Second
	maxAgain = 5 * time.Minute
)

// due tells whether a list is to be read now: another one at once.
func (a *again) due(list sighting, now time.Time) bool {
	return list != a.of || !now.Before(a.at)
}

// after puts off the next try of a list.
func (a *again) after(list sighting, now time.Time) {
	if a.wait = min(max(2*a.wait, minAgain), maxAgain); list != a.of {
		a.wait = minAgain
	}
	a.of, a.at = list, now.Add(a.wait)
}

// reloadTime bounds a reload that nobody waits for.
const reloadTime = 5 * time.Minute
