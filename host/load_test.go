package host_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

func TestLoadWithoutFile(t *testing.T) {
	h := newHouse(t)
	h.load(t)
	require.NoError(t, h.Problem())
	require.Empty(t, h.Plugins())
	require.Equal(t, core.CodeValidationFailed, core.CodeOf(h.ValidateData("x", nil)))
	_, err := h.invoke(t, "x")
	require.Equal(t, core.CodePluginUnavailable, failureCode(err))
}

func TestLoadEmptyFile(t *testing.T) {
	h := newHouse(t)
	for _, text := range []string{"plugins:\n", "plugins: []\n"} {
		h.file(t, "plugins.yaml", text)
		h.load(t)
		require.NoError(t, h.Problem(), text)
		require.Empty(t, h.Plugins())
	}
}

// A file that was cut off by an editor must not take all task types away.
func TestAnEmptyFileIsAMistake(t *testing.T) {
	h := newHouse(t)
	for _, text := range []string{"", "# nothing\n"} {
		h.file(t, "plugins.yaml", text)
		h.load(t)
		require.ErrorContains(t, h.Problem(), "plugins: []", text)
	}
}

// A kilobyte of aliases can stand for more than any memory holds.
func TestAliasesAreRefused(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	bomb := []string{"config:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"}
	for i := range 6 { // a million, which does not hurt when it is read
		bomb = append(bomb, fmt.Sprintf("  a%d: &a%d [%s]", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", ")))
	}
	for name, lines := range map[string][]string{
		"bomb": bomb, "merge": {"limits: &l {crashes: 2}", "config: {<<: *l}"}, "key": {"config: {? &k a : 1, ? *k : 2}"},
	} {
		h.list(t, lines...)
		h.load(t)
		require.ErrorContains(t, h.Problem(), "is an alias", name)
		require.Regexp(t, `line \d+`, h.Problem().Error())
	}
	h.list(t, "config: &c {a: '*b'}")
	h.load(t)
	require.NoError(t, h.Problem(), "an anchor alone does nothing")
}

func TestLoadListsWhatItLoaded(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good").manifest.DataSchema = json.RawMessage(`{"type":"object"}`)
	h.list(t, `limits: {memory: 32MiB, timeout: 5s, cpu: 1s, output: 2KiB, logs: 100B, logLines: 8, logBytes: 3KiB, hostCalls: 7, concurrency: 3, rate: 30/m, kv: 5KiB, crashes: 4, httpRequests: 9, httpRequestBytes: 1KiB, httpResponseBytes: 2KiB, httpBytes: 4KiB}`,
		`grants: {notify: true, http: ["https://example.com/**"], privateNetworks: [10.0.0.0/8], secrets: [a_token]}`)
	h.load(t)

	p := h.status(t, "x")
	sum := sha256.Sum256([]byte("good"))
	require.Equal(t, core.PluginLoaded, p.State, p.Error)
	require.Equal(t, hex.EncodeToString(sum[:]), p.Digest)
	require.Equal(t, []any{"fake", "good", "good", "1.0.0", 1}, []any{p.Runtime, p.Source, p.Name, p.Version, p.Generation})
	require.NotNil(t, p.LoadedAt)
	require.JSONEq(t, `{"type":"object"}`, string(p.DataSchema))
	require.Equal(t, map[string]any{
		"notify": true, "http": []string{"https://example.com/**"}, "privateNetworks": []string{"10.0.0.0/8"}, "secrets": []string{"a_token"},
	}, p.Grants)
	require.Equal(t, map[string]any{
		"memory": "32MiB", "timeout": "5s", "cpu": "1s", "output": "2KiB", "logs": "100B", "logLines": 8, "logBytes": "3KiB", "hostCalls": 7, "concurrency": 3, "rate": "30/1m0s", "kv": "5KiB", "crashes": 4,
		"httpRequests": 9, "httpRequestBytes": "1KiB", "httpResponseBytes": "2KiB", "httpBytes": "4KiB",
	}, p.Limits)
	require.Equal(t, host.Limits{
		Memory: 32 * host.MiB, Timeout: 5 * time.Second, CPU: time.Second, Output: 2 * host.KiB, Logs: 100, LogLines: 8, LogBytes: 3 * host.KiB, HostCalls: 7, Concurrency: 3, Rate: host.Rate{Limit: 30, Per: time.Minute}, KV: 5 * host.KiB, Crashes: 4,
		HTTPRequests: 9, HTTPRequestBytes: host.KiB, HTTPResponseBytes: 2 * host.KiB, HTTPBytes: 4 * host.KiB,
	}, h.runtime.limits())
	require.Equal(t, &core.RateLimit{Limit: 30, PerMs: 60_000}, h.Rate("x"))
	require.Nil(t, h.Rate("y"))
}

func TestDefaultLimits(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	h.load(t)
	require.Equal(t, host.Limits{
		Memory: 64 * host.MiB, Timeout: 5 * time.Minute, CPU: 10 * time.Second, Output: host.MiB, Logs: 64 * host.KiB, LogLines: 10_000, LogBytes: 4 * host.MiB, HostCalls: 1000, Concurrency: 8, KV: host.MiB, Crashes: 5,
		HTTPRequests: 100, HTTPRequestBytes: host.MiB, HTTPResponseBytes: 4 * host.MiB, HTTPBytes: 32 * host.MiB,
	}, h.runtime.limits())
}

// What a run may compute follows from its time, and from whether others compute
// in the same process.
func TestTheDefaultOfProcessorTime(t *testing.T) {
	for name, test := range map[string]struct {
		runtime string
		lines   []string
		want    time.Duration
	}{
		"a module":                    {"wasm", nil, 10 * time.Second},
		"a module in little time":     {"wasm", []string{"limits: {timeout: 3s}"}, 3 * time.Second},
		"a shared process":            {"process", []string{"limits: {timeout: 1m}"}, time.Minute},
		"a process for one at a time": {"process", []string{"limits: {concurrency: 1}"}, 10 * time.Second},
		"a process for each":          {"process", []string{"init: per-run"}, 10 * time.Second},
		"as it is written":            {"process", []string{"limits: {cpu: 2m}"}, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.runtime.program("good")
			h.list(t, test.lines...)
			h.file(t, "plugins.yaml", strings.Replace(h.text(t, "plugins.yaml"), "runtime: fake", "runtime: "+test.runtime, 1))
			h.load(t)
			require.Equal(t, core.PluginLoaded, h.status(t, "x").State, h.status(t, "x").Error)
			require.Equal(t, test.want, h.runtime.limits().CPU)
			require.Equal(t, test.want.String(), h.status(t, "x").Limits["cpu"])
		})
	}
}

// Lines that were set to be kept do not end a run.
func TestTheDefaultOfLogBytesIsWhatIsKept(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t, "limits: {logs: 16MiB}")
	h.load(t)
	require.Equal(t, 16*host.MiB, h.runtime.limits().LogBytes)
}

// One wrong entry is reported on its type and leaves the others alone.
func TestLoadReportsWhatIsWrongWithAnEntry(t *testing.T) {
	tests := map[string]struct {
		lines []string
		want  string
	}{
		"unknown key":        {[]string{"sorce: x"}, `line 5: unknown field "sorce"`},
		"unknown limit":      {[]string{"limits:", "  memry: 1MiB"}, `line 6: unknown field "memry"`},
		"unknown grant":      {[]string{"grants: {teleport: true}"}, `line 5: unknown field "teleport"`},
		"size without unit":  {[]string{"limits:", "  memory: 64"}, `line 6: limits.memory is not a size`},
		"negative size":      {[]string{"limits: {output: -1MiB}"}, `line 5: limits.output`},
		"size too large":     {[]string{"limits: {memory: 8GiB}"}, "the most that can be set, 4GiB"},
		"size overflow":      {[]string{"limits: {memory: 99999999999GiB}"}, "is not a size"},
		"bad duration":       {[]string{"limits:", "  output: 1MiB", "  timeout: soon"}, `line 7: limits.timeout is not a duration`},
		"negative duration":  {[]string{"limits: {timeout: -1s}"}, "limits.timeout"},
		"no rate":            {[]string{`limits: {rate: "30"}`}, "limits.rate is not a number of starts and a period"},
		"zero rate":          {[]string{`limits: {rate: 0/1m}`}, "limits.rate is not a number of starts and a period"},
		"zero concurrency":   {[]string{"limits: {concurrency: 0}"}, "limits.concurrency is not between 1 and"},
		"no host calls":      {[]string{"limits: {hostCalls: 0}"}, "limits.hostCalls is not between"},
		"no log lines":       {[]string{"limits: {logLines: 0}"}, "limits.logLines is not between 1 and"},
		"no HTTP requests":   {[]string{"limits: {httpRequests: 0}"}, "limits.httpRequests is not between"},
		"HTTP body too big":  {[]string{"limits: {httpResponseBytes: 16MiB}"}, "limits.httpResponseBytes is more than the most that can be set, 15MiB"},
		"no HTTP pattern":    {[]string{"grants:", "  http:", "    - https://example.com/**", "    - example.com"}, "line 8: grants.http[1] is no pattern"},
		"no network":         {[]string{"grants:", "  privateNetworks: [10.0.0.1]"}, "line 6: grants.privateNetworks[0] is no network"},
		"no secret's name":   {[]string{"grants:", "  secrets: [a, \"b c\"]"}, "line 6: grants.secrets[1] is no name"},
		"wrong type":         {[]string{"limits: 7"}, "line 5: "},
		"unset variable":     {[]string{"config: {token: \"${NOWHERE}\"}"}, "line 5: environment variable NOWHERE is not set"},
		"malformed variable": {[]string{"config: {token: \"${NO WAY}\"}"}, "no reference to an environment variable"},
		"digest no hex":      {[]string{"sha256: abc"}, "line 5: sha256 is not 64 hexadecimal digits"},
		"digest differs":     {[]string{"sha256: " + strings.Repeat("ab", 32)}, "plugins.yaml demands abab"},
		"unknown init":       {[]string{"init: never"}, "line 5: init is neither image nor per-run"},
		"config not taken":   {[]string{"config: {a: 1}"}, "takes no config"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.runtime.program("good")
			h.list(t, append(test.lines, "", "- type: other", "  runtime: fake", "  source: good")...)
			h.file(t, "plugins.yaml", dedent(t, h, "- type: other"))
			h.load(t)
			require.NoError(t, h.Problem())

			p := h.status(t, "x")
			require.Equal(t, core.PluginFailed, p.State)
			require.Contains(t, p.Error, test.want)
			require.Nil(t, p.LoadedAt)
			require.Equal(t, core.CodePluginUnavailable, core.CodeOf(h.ValidateData("x", nil)))
			out, err := h.invoke(t, "x")
			require.Equal(t, core.CodePluginUnavailable, failureCode(err))
			require.Contains(t, err.Error(), test.want)
			require.Empty(t, out.Plugin)

			require.Equal(t, core.PluginLoaded, h.status(t, "other").State)
			_, err = h.invoke(t, "other")
			require.NoError(t, err)
		})
	}
}

func TestLoadReportsMissingKeysAndPrograms(t *testing.T) {
	tests := map[string]struct{ entry, want string }{
		"no runtime":      {"{type: x, source: good}", "line 2: runtime is missing"},
		"no source":       {"{type: x, runtime: fake}", "line 2: source is missing"},
		"unknown runtime": {"{type: x, runtime: java, source: good}", `runtime "java" is not available; this server has fake`},
		"no program":      {"{type: x, runtime: fake, source: nowhere}", "does not exist; build the plugin, or correct source"},
		"broken program":  {"{type: x, runtime: fake, source: bad}", "broken program"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.file(t, "bad", "bad")
			h.file(t, "plugins.yaml", "plugins:\n  - "+test.entry+"\n")
			h.load(t)
			require.Contains(t, h.status(t, "x").Error, test.want)
		})
	}
}

func TestLoadReportsABrokenFile(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"syntax":          {"plugins: [", "line 1"},
		"unknown key":     {"plugin: []", `line 1: unknown field "plugin"`},
		"list instead":    {"- type: x", "line 1"},
		"no type":         {"plugins:\n  - runtime: fake\n", "line 2: a plugin needs a type"},
		"bad type":        {"plugins:\n  - type: X Y\n", "line 2: type is no name of a task type; use lower-case letters"},
		"duplicate type":  {"plugins:\n  - {type: x, runtime: fake, source: good}\n  - {type: x, runtime: fake, source: good}\n", `line 3: type "x" is listed twice, first at line 2`},
		"duplicate key":   {"requireDigest: true\nrequireDigest: false\n", "line 2"},
		"two documents":   {"plugins: []\n---\nplugins: []\n", "more than one YAML document"},
		"larger than max": {"# " + string(make([]byte, 1<<20)), "larger than 1MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.file(t, "plugins.yaml", test.text)
			h.load(t)
			require.ErrorContains(t, h.Problem(), test.want)
			require.Empty(t, h.Plugins())

			h.runtime.program("good")
			h.list(t)
			require.NoError(t, h.Reload(t.Context()))
			require.NoError(t, h.Problem(), "a good file clears the problem")
		})
	}
}

func TestDigest(t *testing.T) {
	sum := sha256.Sum256([]byte("good"))
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t, "sha256: "+hex.EncodeToString(sum[:]), "", "# end")
	h.load(t)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State)

	h.file(t, "plugins.yaml", "requireDigest: true\nplugins:\n  - {type: x, runtime: fake, source: good}\n")
	h.load(t)
	require.Contains(t, h.status(t, "x").Error, "requireDigest is set")
}

func TestSourceIsRelativeToTheFile(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	t.Chdir(t.TempDir())
	h.load(t)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State)

	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: \""+filepath.Join(h.dir, "good")+"\"}\n")
	h.load(t)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State)
}
