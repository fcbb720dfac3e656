package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const maxManifest = 1 << 20 // bytes of a manifest's frame

var (
	nameSyntax    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	versionSyntax = regexp.MustCompile(`^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z.-]{1,64})?(\+[0-9A-Za-z.-]{1,64})?$`)
)

// manifest is a plugin's checked word about itself.
type manifest struct {
	name    string
	version string
	asks    []string
	data    *schema // nil accepts all
	config  *schema // nil accepts no config
	limits  wire.Limits
	sample  json.RawMessage // nil is none
}

// readManifest checks what a plugin says about itself. A plugin without a
// manifest is named after its task type.
func readManifest(taskType string, frame []byte) (manifest, error) {
	if frame == nil {
		return manifest{name: taskType, version: "0.0.0"}, nil
	}
	if len(frame) > maxManifest {
		return manifest{}, fmt.Errorf("manifest of %d bytes, at most %d are allowed", len(frame), maxManifest)
	}
	var m wire.Manifest
	if _, err := wire.Decode(frame, &m); err != nil {
		return manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	switch {
	case m.ABI != wire.ABI:
		return manifest{}, fmt.Errorf("manifest speaks ABI %d and this host %d; rebuild the plugin with a matching sdk", m.ABI, wire.ABI)
	case !nameSyntax.MatchString(m.Name):
		return manifest{}, fmt.Errorf("manifest name %.80q: use lower-case letters, digits, - and _, beginning with a letter", m.Name)
	case !versionSyntax.MatchString(m.Version):
		return manifest{}, fmt.Errorf("manifest version %.80q: write a semantic version such as 1.2.0", m.Version)
	}
	out := manifest{name: m.Name, version: m.Version, asks: m.Capabilities}
	var err error
	if out.data, err = optionalSchema(m.DataSchema); err != nil {
		return manifest{}, fmt.Errorf("data schema: %w", err)
	}
	if out.config, err = optionalSchema(m.ConfigSchema); err != nil {
		return manifest{}, fmt.Errorf("config schema: %w", err)
	}
	if m.Limits != nil {
		out.limits = *m.Limits
	}
	if len(m.Sample) == 0 || string(m.Sample) == "null" {
		return out, nil
	}
	if err := checkData(out.data, m.Sample); err != nil {
		return manifest{}, fmt.Errorf("the plugin's sample does not satisfy its own data schema: %w", err)
	}
	out.sample = m.Sample
	return out, nil
}

func optionalSchema(raw json.RawMessage) (*schema, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	return compileSchema(raw)
}

// checkGrants holds back a plugin that would be refused when it runs.
func (m manifest) checkGrants(g Grants) error {
	var missing []string
	for _, capability := range m.asks {
		if !slices.Contains(offered(), capability) {
			return excess("%s asks for %.64q, which this version of the host does not offer; it offers %s",
				m.id(), capability, strings.Join(offered(), ", "))
		}
		if !g.allows(capability) {
			missing = append(missing, capability)
		}
	}
	if len(missing) > 0 {
		return excess("%s asks for %s, which is not granted; add it to the plugin's grants, for example grants: {%s}",
			m.id(), strings.Join(missing, ", "), exampleGrant(missing[0]))
	}
	return nil
}

// need is a limit that a plugin cannot work below, and the one in force.
type need struct {
	name          string
	asked, given  int64
	needs, allows string
}

// checkLimits holds back a plugin that cannot work within its limits. What it
// asks for changes none of them.
func (m manifest) checkLimits(l Limits) error {
	size := func(name string, asked int64, given Size) need {
		return need{name, asked, int64(given), Size(asked).String(), given.String()}
	}
	span := func(name string, askedMS int64, given time.Duration) need {
		asked := time.Duration(min(askedMS, maxTimeout.Milliseconds()+1)) * time.Millisecond
		return need{name, int64(asked), int64(given), asked.String(), given.String()}
	}
	count := func(name string, asked int64, given int) need {
		return need{name, asked, int64(given), strconv.FormatInt(asked, 10), strconv.Itoa(given)}
	}
	a := m.limits
	needs := []need{
		size("memory", a.Memory, l.Memory), span("timeout", a.TimeoutMS, l.Timeout), size("output", a.Output, l.Output), size("kv", a.State, l.KV),
		count("hostCalls", a.HostCalls, l.HostCalls), count("httpRequests", a.HTTPRequests, l.HTTPRequests),
		size("httpRequestBytes", a.HTTPRequestBytes, l.HTTPRequestBytes), size("httpResponseBytes", a.HTTPResponseBytes, l.HTTPResponseBytes),
		size("httpBytes", a.HTTPBytes, l.HTTPBytes), span("cpu", a.CPUMS, l.CPU),
	}
	var missing []string
	for _, n := range needs {
		if n.asked > n.given {
			missing = append(missing, fmt.Sprintf("limits.%s of %s, and has %s", n.name, n.needs, n.allows))
		}
	}
	if len(missing) > 0 {
		return excess("%s needs %s; raise that in the plugin's entry", m.id(), strings.Join(missing, "; "))
	}
	return nil
}

// excessError says that a plugin asks for more than it may have. The version
// that works goes on in its place.
type excessError struct{ text string }

// Error returns the text.
func (e *excessError) Error() string { return e.text }

func excess(format string, args ...any) error {
	return &excessError{text: fmt.Sprintf(format, args...)}
}

// checkConfig holds the operator's config against the plugin's schema.
func (m manifest) checkConfig(config json.RawMessage) error {
	if m.config == nil {
		if string(config) != "{}" {
			return fmt.Errorf("%s@%s takes no config; remove config from the entry", m.name, m.version)
		}
		return nil
	}
	if err := core.Invalid(core.CodeValidationFailed, m.config.check("/config", config)); err != nil {
		if e, ok := errors.AsType[*core.Error](err); ok {
			return errors.New(e.Message)
		}
	}
	return nil
}

// id names the plugin in executions: name@version.
func (m manifest) id() string { return m.name + "@" + m.version }
