package host

import (
	"errors"
	"iter"
	"strconv"

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
		if held, ok := next.held[t]; ok && old.held[t].HeldPlugin != held.HeldPlugin {
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

// shown is a text, or where that has it in a text when the former may have a
// piece of what the entry has from the environment. Pieces are looked for since
// values are quoted, escaped and cut in many ways.
func (e entry) shown(text string) string {
	text = clip(text, maxReloadText)
	pieces := map[string]bool{}
	for piece := range piecesOf(text) {
		pieces[piece] = true
	}
	for _, value := range e.expanded {
		for _, form := range []string{value, strconv.Quote(value)} {
			for piece := range piecesOf(form) {
				if pieces[piece] {
					return "the reason may show what comes from the environment; GET /plugins has it"
				}
			}
		}
	}
	return text
}

// piecesOf lists all pieces of minHidden bytes.
func piecesOf(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for end := minHidden; end <= len(text); end++ {
			if !yield(text[end-minHidden : end]) {
				return
			}
		}
	}
}

// minHidden keeps what is no secret, such as a digit, from being found in every
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
