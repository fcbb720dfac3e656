package host

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// rawEntry is an entry of plugins.yaml as it is written.
type rawEntry struct {
	Type    string         `yaml:"type"`
	Runtime string         `yaml:"runtime"`
	Source  string         `yaml:"source"`
	SHA256  string         `yaml:"sha256"`
	Init    string         `yaml:"init"`
	Limits  rawLimits      `yaml:"limits"`
	Grants  Grants         `yaml:"grants"`
	Config  map[string]any `yaml:"config"`
}

type rawLimits struct {
	Memory      string `yaml:"memory"`
	Timeout     string `yaml:"timeout"`
	CPU         string `yaml:"cpu"`
	Output      string `yaml:"output"`
	Logs        string `yaml:"logs"`
	LogLines    *int   `yaml:"logLines"`
	LogBytes    string `yaml:"logBytes"`
	HostCalls   *int   `yaml:"hostCalls"`
	Concurrency *int   `yaml:"concurrency"`
	Rate        string `yaml:"rate"`
	KV          string `yaml:"kv"`
	Crashes     *int   `yaml:"crashes"`

	HTTPRequests      *int   `yaml:"httpRequests"`
	HTTPRequestBytes  string `yaml:"httpRequestBytes"`
	HTTPResponseBytes string `yaml:"httpResponseBytes"`
	HTTPBytes         string `yaml:"httpBytes"`
}

var digestSyntax = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check turns the entry into values. The error names the line and quotes no
// value, since a value may have come from the environment.
func (r rawEntry) check(at locator, timeout time.Duration) (entry, error) {
	e := entry{
		taskType: r.Type, runtime: r.Runtime, source: r.Source, sha256: strings.ToLower(r.SHA256), grants: r.Grants,
		limits: defaultLimits(timeout),
	}
	switch {
	case r.Runtime == "":
		return e, at.error("runtime", "is missing; write wasm or process")
	case r.Source == "":
		return e, at.error("source", "is missing; write the path of the plugin, relative to this file")
	case strings.Contains(r.Source, "://"):
		return e, at.error("source", "is an address; programs are not fetched: put the file where this server can read it, and write its path")
	case r.SHA256 != "" && !digestSyntax.MatchString(e.sha256):
		return e, at.error("sha256", "is not 64 hexadecimal digits")
	}
	switch e.init = Init(r.Init); e.init {
	case InitImage, InitPerRun:
	case "":
		e.init = InitImage
	default:
		return e, at.error("init", "is neither image nor per-run")
	}
	if err := r.Limits.apply(at, &e); err != nil {
		return e, err
	}
	var err error
	if e.egress, err = r.Grants.egress(at); err != nil {
		return e, err
	}
	if r.Config == nil {
		r.Config = map[string]any{}
	}
	config, err := json.Marshal(r.Config)
	if err != nil { // the cause may quote a value
		return e, at.error("config", "has a value that JSON cannot hold")
	}
	e.config = config
	return e, nil
}

// runtimeProcess is the runtime whose programs serve several runs at once.
const runtimeProcess = "process"

func (l rawLimits) apply(at locator, e *entry) error {
	sizes := []struct {
		name, text string
		max        Size
		into       *Size
	}{
		{"memory", l.Memory, maxMemory, &e.limits.Memory},
		{"output", l.Output, maxOutput, &e.limits.Output},
		{"logs", l.Logs, maxLogs, &e.limits.Logs},
		{"logBytes", l.LogBytes, maxLogBytes, &e.limits.LogBytes},
		{"kv", l.KV, maxKV, &e.limits.KV},
		{"httpRequestBytes", l.HTTPRequestBytes, maxHTTPBytes, &e.limits.HTTPRequestBytes},
		{"httpResponseBytes", l.HTTPResponseBytes, maxHTTPBytes, &e.limits.HTTPResponseBytes},
		{"httpBytes", l.HTTPBytes, maxHTTPTotal, &e.limits.HTTPBytes},
	}
	for _, s := range sizes {
		if s.text == "" {
			continue
		}
		size, err := ParseSize(s.text)
		if err != nil {
			return at.error("limits."+s.name, "is "+err.Error())
		}
		if size > s.max {
			return at.error("limits."+s.name, fmt.Sprintf("is more than the most that can be set, %s", s.max))
		}
		*s.into = size
	}
	if l.LogBytes == "" {
		e.limits.LogBytes = max(DefaultLogBytes, e.limits.Logs)
	}
	if err := l.durations(at, e); err != nil {
		return err
	}
	if err := l.counts(at, e); err != nil {
		return err
	}
	e.limits.limitCPU(e.runtime == runtimeProcess && e.init == InitImage)
	return nil
}

func (l rawLimits) durations(at locator, e *entry) error {
	for _, d := range []struct {
		name, text string
		into       *time.Duration
	}{{"timeout", l.Timeout, &e.limits.Timeout}, {"cpu", l.CPU, &e.limits.CPU}} {
		if d.text == "" {
			continue
		}
		value, err := time.ParseDuration(d.text)
		if err != nil || value < time.Millisecond || value > maxTimeout {
			return at.error("limits."+d.name, fmt.Sprintf("is not a duration between 1ms and %v, for example 30s", maxTimeout))
		}
		*d.into = value
	}
	return nil
}

func (l rawLimits) counts(at locator, e *entry) error {
	for _, c := range []struct {
		name  string
		value *int
		max   int
		into  *int
	}{
		{"logLines", l.LogLines, maxLogLines, &e.limits.LogLines},
		{"hostCalls", l.HostCalls, maxHostCalls, &e.limits.HostCalls},
		{"concurrency", l.Concurrency, maxConcurrency, &e.limits.Concurrency},
		{"crashes", l.Crashes, maxCrashes, &e.limits.Crashes},
		{"httpRequests", l.HTTPRequests, maxHTTPRequests, &e.limits.HTTPRequests},
	} {
		if c.value == nil {
			continue
		}
		if *c.value < 1 || *c.value > c.max {
			return at.error("limits."+c.name, fmt.Sprintf("is not between 1 and %d", c.max))
		}
		*c.into = *c.value
	}
	if l.Rate == "" {
		return nil
	}
	rate, err := parseRate(l.Rate)
	if err != nil {
		return at.error("limits.rate", "is "+err.Error())
	}
	e.limits.Rate = rate
	return nil
}

// locator finds the line of a key within an entry.
type locator struct {
	node ast.Node
}

// error makes an error about a key such as limits.memory. A key that is not
// written is reported at the entry's own line.
func (l locator) error(key, problem string) error {
	at := line(l.node)
	if path, err := yaml.PathString("$." + key); err == nil {
		if found, err := path.FilterNode(l.node); err == nil && found != nil {
			at = line(found)
		}
	}
	return fmt.Errorf("line %d: %s %s", at, key, problem)
}
