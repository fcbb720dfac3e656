package host

import (
	"errors"
	"fmt"

	"github.com/nexuscore/scheduler/core"
)

// BystanderError is the failure of a run that ended with the process it ran in for
// something that another run did, or the host. It is not held against the
// plugin.
type BystanderError struct{ *core.Failure }

// Unwrap returns the failure.
func (b BystanderError) Unwrap() error { return b.Failure }

// verdictOn says what the end of Handle tells about the plugin. Traps, crashes
// and the memory limit are breakdowns. What ends a run from outside says
// nothing, and neither does the limit of processor time, which like a deadline
// may be the data's fault. Everything else the program survived.
func verdictOn(err error) verdict {
	if err == nil {
		return sound
	}
	if _, ok := errors.AsType[BystanderError](err); ok {
		return unknown
	}
	f, ok := errors.AsType[*core.Failure](err)
	if !ok {
		return unknown
	}
	switch f.Code {
	case core.CodePluginTrap, core.CodePluginCrashed, core.CodePluginMemoryLimit:
		return crash
	case core.CodeTimeout, core.CodeCancelled, core.CodePluginCPULimit, core.CodePluginUnavailable:
		return unknown
	}
	return sound
}

// Admits tells whether an attempt of the type would be started now: not while
// its plugin is quarantined, nor while the trial is under way that decides about
// it. It is true for a type that is not loaded, whose attempts fail instead.
func (h *Host) Admits(taskType string) bool {
	s := h.slotOf(taskType)
	return !s.works() || s.breaker.admits(h.clock.Now())
}

// Release ends the quarantine of a task type at once. It does nothing for one
// that is not quarantined. NOT_FOUND when no plugin is listed for the type.
func (h *Host) Release(taskType string) error {
	s := h.slotOf(taskType)
	if s == nil {
		return core.Errorf(core.CodeNotFound, "no plugin serves the task type %.80q", taskType)
	}
	if s.breaker.release() {
		h.cfg.Logger.Info("plugin is released from quarantine, by request", "type", taskType, "plugin", s.manifest.id())
		h.cfg.Tell(s.event(core.TypePluginReleased))
		h.cfg.Opened()
	}
	return nil
}

// slotOf returns the current slot of a type; nil for one that is not listed.
func (h *Host) slotOf(taskType string) *slot {
	g := h.current.Load()
	if g == nil {
		return nil
	}
	return g.slots[taskType]
}

// ended tells the breaker how a run ended, and people when that changes
// something.
func (h *Host) ended(s *slot, t ticket, v verdict, err error) {
	taskType := s.entry.taskType
	if v == crash {
		h.counters.of(taskType).crashed.Add(1)
	}
	reason := ""
	if v == crash {
		reason = clip(core.FailureOf(err).Message, maxReason)
	}
	if !s.breaker.end(t, v, reason, h.clock.Now()) {
		return
	}
	logger := h.cfg.Logger.With("type", taskType, "plugin", s.manifest.id())
	state, q := s.breaker.status(h.clock.Now())
	if state == core.PluginLoaded {
		logger.Info("plugin has left quarantine: its trial went well")
		h.cfg.Tell(s.event(core.TypePluginReleased))
		h.cfg.Opened()
		return
	}
	logger.Error("plugin is quarantined: it keeps crashing; its executions wait. POST /plugins/:type/rollback puts its previous version in place, /release ends the quarantine",
		"crashes", q.Crashes, "until", q.Until, "reason", q.Reason)
	e := s.event(core.TypePluginQuarantined)
	e.Reason = fmt.Sprintf("%d crashes in a row, the last one %s; GET /plugins says more", q.Crashes, codeOf(err)) // without its own words
	h.cfg.Tell(e)
}
