package core

import (
	"context"
	"encoding/json"
	"time"
)

// Invoker runs a plugin once for an attempt. It is the engine's only way to
// the outside: host implements it.
type Invoker interface {
	// Invoke hands the attempt to the plugin of its task type and waits for the
	// end. When ctx ends, it ends the plugin too and returns within a second;
	// the cause (context.Cause) tells a timeout from a cancellation.
	//
	// A failed attempt is a *Failure; the Outcome then still holds the logs and
	// the plugin's name, which is empty when the plugin has seen nothing of it. A *NotStartedError says that the attempt has not begun
	// and is to be begun later. Concurrent calls are safe.
	Invoke(ctx context.Context, in Invocation) (Outcome, error)
}

// NotStartedError is what Invoke returns when nothing was run because nothing
// of this task type may run now. The attempt does not count.
type NotStartedError struct {
	Reason string        // for people
	Wait   time.Duration // after which to ask again
}

// Error renders the reason.
func (e *NotStartedError) Error() string { return e.Reason }

// TypeCatalogue knows the task types that can be run now.
type TypeCatalogue interface {
	// ValidateData checks a task's data against the schema of its type. It
	// fails with VALIDATION_FAILED for data that does not fit or a type nobody
	// has heard of, and with PLUGIN_UNAVAILABLE when the type is configured but
	// its plugin is not loaded.
	ValidateData(taskType string, data json.RawMessage) error
	// Plugins lists every configured plugin, loaded or not, by task type.
	Plugins() []PluginStatus
}

// Invocation is what a plugin is told about the attempt it is run for.
type Invocation struct {
	ExecutionID string
	TaskID      string
	TaskName    string
	Type        string
	Trigger     Trigger
	Attempt     int       // from 1
	MaxAttempts int       // attempts that the retry policy allows in all
	Token       int64     // fencing token of the lease; grows with every claim
	NominalTime time.Time // the instant the schedule asked for
	Deadline    time.Time // when the attempt is ended
	Data        json.RawMessage

	// Report keeps how far the attempt is, until it says something else. It
	// returns at once and may be called as often as one likes, by several
	// goroutines. nil: nobody wants to know.
	Report func(Progress)
}

// Outcome is what an attempt leaves behind.
type Outcome struct {
	Result      json.RawMessage // the handler's answer, JSON; null when it gave none
	Logs        []LogLine
	LogsDropped int    // lines beyond the limit
	Plugin      string // name@version that ran
	Effects     Effects
}

// LogLine is one line a plugin logged.
type LogLine struct {
	Time    time.Time      `json:"time"`
	Level   string         `json:"level"` // debug, info, warn, error
	Message string         `json:"message"`
	Fields  map[string]any `json:"fields,omitempty"`
}

// PluginStatus is what GET /plugins shows of one configured task type.
type PluginStatus struct {
	Type       string          `json:"type"`
	Runtime    string          `json:"runtime"` // wasm or process
	Source     string          `json:"source"`
	State      PluginState     `json:"state"`
	Error      string          `json:"error,omitempty"`     // why it is not loaded, in words that say what to do
	Name       string          `json:"name,omitempty"`      // from the manifest
	Version    string          `json:"version,omitempty"`   // from the manifest
	Digest     string          `json:"digest,omitempty"`    // sha256 of the artifact, hex
	Generation int             `json:"generation"`          // grows with every load
	LoadedAt   *time.Time      `json:"loadedAt"`            // null when not loaded
	DataSchema json.RawMessage `json:"dataSchema,omitzero"` // JSON Schema of task data
	Grants     map[string]any  `json:"grants,omitempty"`
	Limits     map[string]any  `json:"limits,omitempty"`
	Calls      PluginCounters  `json:"calls"`

	// Quarantine is set in the states quarantined and trial.
	Quarantine *Quarantine `json:"quarantine,omitempty"`
	// Previous is the version that a rollback puts in place.
	Previous *PluginVersion `json:"previous,omitempty"`
	// RolledBack tells that the configuration lists Previous, and somebody has
	// rolled it back.
	RolledBack bool `json:"rolledBack,omitzero"`
	// Held is the version that the configuration lists and that asks for more than
	// it may have.
	Held *HeldPlugin `json:"held,omitempty"`
	// Problem says why the last reload, which changed nothing, could not use what
	// the configuration lists for this type.
	Problem string `json:"problem,omitempty"`

	// Confinement says what holds the plugin on this machine, mechanism by
	// mechanism, and why something does not and what to do about it.
	Confinement map[string]string `json:"confinement,omitempty"`
}

// PluginState says whether a plugin can run.
type PluginState string

// The states of a plugin.
const (
	PluginLoaded      PluginState = "loaded"
	PluginFailed      PluginState = "failed"      // Error says why it is not loaded
	PluginQuarantined PluginState = "quarantined" // it kept crashing; nothing is started for a while
	PluginTrial       PluginState = "trial"       // it was quarantined; the next run decides
)

// PluginStates lists them all.
func PluginStates() []PluginState {
	return []PluginState{PluginLoaded, PluginFailed, PluginQuarantined, PluginTrial}
}

// Runs tells whether attempts are started in this state, if only one.
func (s PluginState) Runs() bool { return s == PluginLoaded || s == PluginTrial }

// Quarantine is why a plugin is not run, and until when.
type Quarantine struct {
	Reason  string    `json:"reason"`  // the last crash
	Crashes int       `json:"crashes"` // in a row
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // then one run decides whether it ends
}

// PluginVersion names a program.
type PluginVersion struct {
	Version string `json:"version"` // from the manifest
	Digest  string `json:"digest"`  // sha256 of the artifact, hex
}

// HeldPlugin is a version that is held back.
type HeldPlugin struct {
	PluginVersion
	Reason string `json:"reason"` // what it asks for, in words that say what to do
}

// PluginReload is how the configuration of plugins was last read.
type PluginReload struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why it was not used; empty when it was
}

// PluginCounters counts a plugin's attempts since the process started.
type PluginCounters struct {
	Total   int64 `json:"total"`
	Failed  int64 `json:"failed"`
	Crashed int64 `json:"crashed"` // of those that failed
	Active  int64 `json:"active"`
}
