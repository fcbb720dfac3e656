package host

import (
	"errors"
	"strings"

	"github.com/nexuscore/scheduler/core"
)

// news lists what is in force in next and was not, or was otherwise, in old.
func news(old, next *generation) []core.PluginEvent {
	var all []core.PluginEvent
	for _, t := range next.order {
		now, before := next.slots[t], old.slots[t]
		switch {
		case !now.works():
			if before == nil || before.problem == nil || before.problem.Error() != now.problem.Error() {
				all = append(all, refusedEvent(now.entry, now.problem))
			}
		case !before.works():
			all = append(all, now.event(core.TypePluginLoaded))
		case now != before:
			all = append(all, after(now.event(core.TypePluginChanged), before))
		}
		if held, ok := next.held[t]; ok && old.held[t].Digest != held.Digest {
			e := now.event(core.TypePluginHeld)
			e.Held, e.Reason = &held.PluginVersion, held.entry.shown(held.Reason)
			all = append(all, e)
		}
	}
	for _, t := range old.order {
		if next.slots[t] == nil {
			all = append(all, after(core.PluginEvent{Kind: core.TypePluginRemoved, Type: t}, old.slots[t]))
		}
	}
	return all
}

// event is something that happened to a plugin that works.
func (s *slot) event(kind string) core.PluginEvent {
	return core.PluginEvent{Kind: kind, Type: s.entry.taskType, Name: s.manifest.name, Version: s.manifest.version, Digest: s.digest}
}

// after adds what was in force before.
func after(e core.PluginEvent, before *slot) core.PluginEvent {
	if before.works() {
		v := before.version()
		e.Previous = &v
	}
	return e
}

func refusedEvent(e entry, problem error) core.PluginEvent {
	return core.PluginEvent{Kind: core.TypePluginRefused, Type: e.taskType, Reason: e.public(problem)}
}

// public says why an entry cannot be used, to those who may not know what is in its
// config.
func (e entry) public(problem error) string {
	if s, ok := errors.AsType[*sampleError](problem); ok {
		return s.short // the plugin has seen its config
	}
	return e.shown(problem.Error())
}

// shown hides in a text what the entry has from the environment.
func (e entry) shown(text string) string {
	for _, value := range e.expanded {
		if len(value) >= minHidden {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return clip(text, maxReloadText)
}

// minHidden keeps what is no secret, such as a digit, from being hidden in every
// word.
const minHidden = 4

// refuse tells that something of a list cannot be used, unless that was told last
// of the task type; "" is the list as a whole.
func (h *Host) refuse(e core.PluginEvent) {
	if h.refused[e.Type] != e.Reason {
		h.refused[e.Type] = e.Reason
		h.cfg.Tell(e)
	}
}

func (h *Host) refuseList(problem error) {
	h.refuse(core.PluginEvent{Kind: core.TypePluginListRefused, Reason: clip(problem.Error(), maxReloadText)})
}
