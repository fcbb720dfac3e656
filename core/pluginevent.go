package core

import (
	"encoding/json"
	"time"
)

// The types of events about the plugins of a node.
const (
	TypePluginLoaded      = "plugin.loaded"       // a task type is served that was not before
	TypePluginChanged     = "plugin.changed"      // another program, or another entry, serves it
	TypePluginRemoved     = "plugin.removed"      // it is not listed any more
	TypePluginRefused     = "plugin.refused"      // what is listed for it cannot be used
	TypePluginHeld        = "plugin.held"         // the listed version asks for more than it may have; the one that works goes on
	TypePluginRolledBack  = "plugin.rolled_back"  // by command
	TypePluginQuarantined = "plugin.quarantined"  // it kept crashing
	TypePluginReleased    = "plugin.released"     // its quarantine is over
	TypePluginListRefused = "plugin.list_refused" // the list of plugins cannot be used as a whole
)

// PluginEvent is what happened to the plugins of one node. No text in it comes
// from a plugin while it knew its config, and none has a secret.
type PluginEvent struct {
	Kind     string         `json:"-"`              // one of the types
	Node     string         `json:"node"`           // where it happened
	Type     string         `json:"type,omitempty"` // the task type; none for the list
	Name     string         `json:"name,omitempty"` // with the version, what is in force now; none when nothing is
	Version  string         `json:"version,omitempty"`
	Digest   string         `json:"digest,omitempty"`
	Previous *PluginVersion `json:"previous,omitempty"` // what was in force before
	Held     *PluginVersion `json:"held,omitempty"`     // what is listed and held back
	Reason   string         `json:"reason,omitempty"`
}

// Message makes the event that is told of it.
func (e PluginEvent) Message(now time.Time) Message {
	data, _ := json.Marshal(e) // plain values: cannot fail
	return Message{ID: NewID(), Kind: MessageEvent, Type: e.Kind, Time: Instant(now), Data: data}
}
