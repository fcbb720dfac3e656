package host

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// ValidateData implements core.TypeCatalogue. The fields of its problems are
// JSON Pointers below /data, or /type for a type nobody has heard of. Besides
// the schema it bounds size and nesting. Until the first Load has ended nothing
// can be told about any type: UNAVAILABLE.
func (h *Host) ValidateData(taskType string, data json.RawMessage) error {
	g := h.current.Load()
	if g == nil {
		return core.Errorf(core.CodePluginUnavailable, "the plugin host is closed")
	}
	if g.number == 0 {
		return core.Errorf(core.CodeUnavailable, "plugins are being loaded; try again")
	}
	s, ok := g.slots[taskType]
	if !ok {
		return core.Invalid(core.CodeValidationFailed, []core.FieldProblem{{Field: "/type", Problem: "is not a task type that this server knows; GET /plugins lists them"}})
	}
	if s.problem != nil {
		return core.Errorf(core.CodePluginUnavailable, "the plugin of %q is not loaded: %v", taskType, s.problem)
	}
	return checkData(s.manifest.data, data)
}

// CheckData checks a task's data as ValidateData does, against the schema of a
// plugin that is loaded elsewhere; none accepts all. It fails with
// VALIDATION_FAILED.
func CheckData(dataSchema, data json.RawMessage) error {
	compiled, err := optionalSchema(dataSchema)
	if err != nil {
		return core.Errorf(core.CodeInternal, "the schema of another node cannot be read: %v", err)
	}
	return checkData(compiled, data)
}

func checkData(s *schema, data json.RawMessage) error {
	data = orEmpty(data)
	if len(data) > maxData {
		return invalidData(fmt.Sprintf("is %d bytes long, at most %d are allowed", len(data), maxData))
	}
	if err := checkJSON(data); err != nil {
		return invalidData(err.Error())
	}
	if s == nil {
		return nil
	}
	return core.Invalid(core.CodeValidationFailed, s.check("/data", data))
}

func invalidData(problem string) error {
	return core.Invalid(core.CodeValidationFailed, []core.FieldProblem{{Field: "/data", Problem: problem}})
}

// Plugins implements core.TypeCatalogue. The order is that of plugins.yaml.
func (h *Host) Plugins() []core.PluginStatus {
	g := h.current.Load()
	if g == nil {
		return nil
	}
	out := make([]core.PluginStatus, 0, len(g.order))
	last := h.last.Load()
	for _, taskType := range g.order {
		status := g.status(taskType, h.clock.Now())
		status.Calls = h.counters.of(taskType).read()
		if last != nil && last.problems[taskType] != nil {
			status.Problem = last.problems[taskType].Error()
		}
		out = append(out, status)
	}
	return out
}

// status is what is known of a listed type.
func (g *generation) status(taskType string, now time.Time) core.PluginStatus {
	out := g.slots[taskType].status(g.number, now)
	if previous := g.previous[taskType]; previous != nil {
		v := previous.version()
		out.Previous, out.RolledBack = &v, g.rolledBack[taskType]
	}
	if h, ok := g.held[taskType]; ok {
		out.Held = &h.HeldPlugin
	}
	return out
}

func (s *slot) status(generation int, now time.Time) core.PluginStatus {
	e := s.entry
	out := core.PluginStatus{
		Type: e.taskType, Runtime: e.runtime, Source: e.source, State: core.PluginFailed,
		Name: s.manifest.name, Version: s.manifest.version, Digest: s.digest, Generation: generation,
		Grants: e.grants.status(),
	}
	if s.problem != nil {
		out.Error = s.problem.Error()
		return out
	}
	loadedAt := s.loadedAt.UTC()
	out.LoadedAt, out.Limits = &loadedAt, e.limits.status()
	out.State, out.Quarantine = s.breaker.status(now)
	if s.manifest.data != nil {
		out.DataSchema = s.manifest.data.raw
	}
	if confined, ok := s.plugin.(Confined); ok {
		out.Confinement = confined.Confinement()
	}
	return out
}

// counters count attempts by task type. They outlive generations.
type counters struct {
	byType sync.Map // string → *counter
}

type counter struct {
	total, failed, crashed, active atomic.Int64
}

func (c *counters) of(taskType string) *counter {
	found, _ := c.byType.LoadOrStore(taskType, new(counter))
	return found.(*counter)
}

func (c *counter) read() core.PluginCounters {
	return core.PluginCounters{Total: c.total.Load(), Failed: c.failed.Load(), Crashed: c.crashed.Load(), Active: c.active.Load()}
}
