package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Plugin declares a task type: what it is called, what it needs and what it
// does. The zero values of the optional fields ask for nothing.
type Plugin struct {
	Name    string // lower-case letters, digits, - and _
	Version string // semantic version, for example 1.2.0
	Summary string // one line for people

	// Capabilities lists what Handle will use. A plugin that asks for more than
	// its operator granted is not loaded.
	Capabilities []Capability

	// Optional lists what Handle uses only when the plugin's config or a task's data
	// asks for it. It does not hold the plugin back: a run that uses what is not
	// granted ends as denied.
	Optional []Capability

	// DataSchema is the JSON Schema (draft 2020-12) that a task's data must
	// satisfy. It is checked when the task is written. Empty accepts any data.
	// References to other documents are refused.
	DataSchema string

	// ConfigSchema is the JSON Schema of the plugin's config in plugins.yaml.
	// Empty means that the plugin takes no config.
	ConfigSchema string

	// Sample is task data (JSON) that Handle is run with when the program is
	// loaded, with a stand-in for the host: no operation has an effect and what it
	// answers is thrown away. It must satisfy DataSchema. Every run begins from the
	// memory as it is then, so a sample makes runs several times faster. And a
	// version that panics on its sample, or does not answer within 10 s, is not
	// loaded. Leave it empty when Handle changes variables of its package.
	Sample string

	// Limits are the limits that the plugin cannot work below. A version for which
	// its operator has set a lower one is not loaded. The zero value asks for
	// nothing.
	Limits Limits

	// Handle does the work of one attempt.
	Handle Handler
}

// Limits says what a plugin needs at the least. The zero value of a field says
// nothing about it. Sizes are in bytes.
type Limits struct {
	Memory            int64         // linear memory of one run
	Timeout           time.Duration // wall time of one run
	CPU               time.Duration // processor time of one run
	Output            int64         // response of one run
	State             int64         // what the plugin keeps
	HostCalls         int64         // operations of one run
	HTTPRequests      int64         // HTTP requests of one run
	HTTPRequestBytes  int64         // body of one request
	HTTPResponseBytes int64         // body of one response
	HTTPBytes         int64         // bodies of all requests and responses of a run
}

func (l Limits) wire() *wire.Limits {
	if l == (Limits{}) {
		return nil
	}
	return &wire.Limits{
		Memory: l.Memory, TimeoutMS: l.Timeout.Milliseconds(), CPUMS: l.CPU.Milliseconds(), Output: l.Output, State: l.State, HostCalls: l.HostCalls,
		HTTPRequests: l.HTTPRequests, HTTPRequestBytes: l.HTTPRequestBytes, HTTPResponseBytes: l.HTTPResponseBytes, HTTPBytes: l.HTTPBytes,
	}
}

// Handler does the work of one attempt. Its first result, rendered as JSON, is
// the execution's result; nil stands for null. The package comment says what
// the error means. The context is valid until Handler returns.
type Handler func(c *Context) (any, error)

// Capability names something a plugin can be allowed to do.
type Capability string

// The capabilities. Logging and reading the own config need none.
const (
	CapabilityNotify      Capability = "notify"      // Context.Notify
	CapabilityState       Capability = "kv"          // Context.Get, Set, Delete, Keys
	CapabilityPublish     Capability = "publish"     // Context.Publish
	CapabilityEnqueue     Capability = "enqueue"     // Context.Enqueue
	CapabilityHTTP        Capability = "http"        // Context.HTTP, GetJSON and PostJSON
	CapabilityMaintenance Capability = "maintenance" // Context.Prune
	CapabilitySecrets     Capability = "secrets"     // Context.Secret, and {{secret:name}} in requests
)

// registered is the program's one plugin. It is the only mutable package
// variable: the entry points that the host calls have no other way to find it.
var registered *Plugin

// Register makes p the plugin of this program. Call it once, from init. It
// panics when p has no name, version or handler, or when it is called twice: a
// plugin that is declared wrongly does not load, and this text is the reason
// shown.
func Register(p Plugin) {
	if registered != nil {
		panic(fmt.Sprintf("sdk: plugin %q is registered already; a program has one plugin", registered.Name))
	}
	if err := p.check(); err != nil {
		panic("sdk: " + err.Error())
	}
	registered = &p
	if startsFromImage {
		registered.warm()
	}
}

func mustRegistered() *Plugin {
	if registered == nil {
		panic("sdk: no plugin is registered; call sdk.Register in an init function")
	}
	return registered
}

// Manifest returns what the plugin says about itself to the host.
func (p *Plugin) Manifest() wire.Manifest {
	m := wire.Manifest{
		ABI: wire.ABI, Name: p.Name, Version: p.Version, Summary: p.Summary,
		DataSchema: json.RawMessage(p.DataSchema), ConfigSchema: json.RawMessage(p.ConfigSchema),
		Sample: json.RawMessage(p.Sample), Limits: p.Limits.wire(),
	}
	for _, c := range p.Capabilities {
		m.Capabilities = append(m.Capabilities, string(c))
	}
	for _, c := range p.Optional {
		m.Optional = append(m.Optional, string(c))
	}
	return m
}

// check finds what the host could only report as a malformed manifest.
func (p *Plugin) check() error {
	switch {
	case p.Name == "":
		return errors.New("the plugin has no Name")
	case p.Version == "":
		return fmt.Errorf("plugin %q has no Version", p.Name)
	case p.Handle == nil:
		return fmt.Errorf("plugin %q has no Handle", p.Name)
	case p.DataSchema != "" && !json.Valid([]byte(p.DataSchema)):
		return fmt.Errorf("plugin %q: DataSchema is not valid JSON", p.Name)
	case p.ConfigSchema != "" && !json.Valid([]byte(p.ConfigSchema)):
		return fmt.Errorf("plugin %q: ConfigSchema is not valid JSON", p.Name)
	case p.Sample != "" && !json.Valid([]byte(p.Sample)):
		return fmt.Errorf("plugin %q: Sample is not valid JSON", p.Name)
	}
	return nil
}
