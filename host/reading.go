package host

import (
	"time"

	"github.com/nexuscore/scheduler/core"
)

// maxReloadText bounds what is told of a reload that failed.
const maxReloadText = 16 << 10

// reading is how plugins.yaml was read: when, and why nothing came of it.
type reading struct {
	at       time.Time
	err      error
	problems map[string]error // by task type
}

// fine tells whether what was read is in force.
func (r *reading) fine() bool { return r != nil && r.err == nil }

func (h *Host) note(err error, problems map[string]error) {
	h.last.Store(&reading{at: h.clock.Now(), err: err, problems: problems})
}

// LastReload tells how plugins.yaml was last read; nil before the first time.
func (h *Host) LastReload() *core.PluginReload {
	last := h.last.Load()
	if last == nil {
		return nil
	}
	out := &core.PluginReload{At: last.at.UTC()}
	if last.err != nil {
		out.Error = clip(last.err.Error(), maxReloadText)
	}
	return out
}
