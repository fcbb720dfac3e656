package hosttest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// Factory says how to get at the runtime under test.
type Factory struct {
	Name  string                            // as plugins.yaml names it
	New   func(t testing.TB) host.Runtime   // a runtime, closed when the test ends
	Build func(t testing.TB) (guest string) // the path of Guest, built for it

	Init   host.Init // of all plugins; empty for the default
	Shared bool      // runs share the program's memory
	Exit   core.Code // how a run ends whose program exits
}

// The task types of the suite: the guest under different limits and grants.
const (
	roomy   = "roomy"   // nothing granted, room for everything
	tight   = "tight"   // small limits
	brief   = "brief"   // little time, one run at once
	granted = "granted" // notify granted
	online  = "online"  // HTTP to the suite's own server granted, few requests
	frugal  = "frugal"  // little processor time
)

const catalogue = `
plugins:
  - type: roomy
    runtime: %[1]s
    source: %[2]s
    init: %[3]s
    limits: {memory: 96MiB, output: 4MiB, logs: 1MiB, concurrency: 8}
    config: {greeting: hello, list: [1, 2]}
  - type: tight
    runtime: %[1]s
    source: %[2]s
    init: %[3]s
    limits: {memory: 24MiB, output: 4KiB, logs: 1KiB, logLines: 300, logBytes: 128KiB, hostCalls: 10}
  - type: brief
    runtime: %[1]s
    source: %[2]s
    init: %[3]s
    limits: {timeout: 1s, concurrency: 1}
  - type: granted
    runtime: %[1]s
    source: %[2]s
    init: %[3]s
    grants: {notify: true}
  - type: online
    runtime: %[1]s
    source: %[2]s
    init: %[3]s
    limits: {httpRequests: 5, httpRequestBytes: 2MiB, httpResponseBytes: 2MiB, httpBytes: 3584KiB}
    grants:
      http: ["%[4]s/**", "http://127.0.0.2/**", "%[5]s/**"]
      privateNetworks: [127.0.0.1/32]
      secrets: [canary]
  - type: frugal
    runtime: %[1]s
    source: %[2]s
    init: %[3]s
    limits: {cpu: 100ms}
`

// slack is how late a run may end on a busy machine. The port promises a
// second; the rest is the machine's.
const slack = 3 * time.Second

// TestRuntime runs the suite against one runtime.
func TestRuntime(t *testing.T, f Factory) {
	s := newSuite(t, f)
	groups := []struct {
		name  string
		tests map[string]func(*testing.T)
	}{
		{"answers", s.answers()}, {"ends", s.ends()}, {"limits", s.limits()}, {"isolation", s.isolation()}, {"cleanliness", s.cleanliness()}, {"operations", s.operations()},
		{"web", s.web()}, {"running", s.running()}, {"hostile", s.hostile()},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for name, test := range g.tests {
				t.Run(name, test)
			}
		})
	}
}

// suite is the guest, loaded by the runtime under test.
type suite struct {
	host   *host.Host
	shared bool
	exit   core.Code
	site   string // address of the suite's server
	pulse  *Pulse
	seen   *watcher
	fickle string // the same, under a name that is every second look's another
}

func newSuite(t *testing.T, f Factory) *suite {
	path := filepath.Join(t.TempDir(), "plugins.yaml")
	s := &suite{shared: f.Shared, exit: f.Exit, site: newSite(t), pulse: NewPulse(t), seen: &watcher{}}
	s.fickle = strings.Replace(s.site, "127.0.0.1", "fickle.test", 1)
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, catalogue, f.Name, f.Build(t), cmp.Or(f.Init, host.InitImage), s.site, s.fickle), 0o600))
	s.host = host.New(host.Config{
		Path:        path,
		Runtimes:    map[string]host.Runtime{f.Name: f.New(t)},
		Checkpoints: newCheckpoints(),
		Observer:    s.seen,
		Egress:      host.EgressConfig{Resolver: Resolver(rebind)},
		Environ:     func(name string) (string, bool) { return canary, name == "SECRET_CANARY" },
	})
	t.Cleanup(func() { require.NoError(t, s.host.Close(context.Background())) })
	require.NoError(t, s.host.Load(t.Context()))
	for _, p := range s.host.Plugins() {
		require.Equal(t, core.PluginLoaded, p.State, p.Error)
		require.Equal(t, "guest", p.Name)
		require.Equal(t, "1.2.3", p.Version)
	}
	return s
}

// rebind answers first with the address of the suite's server, then with one
// that nobody was granted, and so on in turn.
func rebind(_ string, look int) string {
	if look%2 == 1 {
		return "127.0.0.1"
	}
	return "127.0.0.2"
}

// order is the guest's task data.
type order struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	N    int    `json:"n,omitempty"`
}

// invocation makes an attempt that has a minute.
func invocation(t testing.TB, taskType string, o order) core.Invocation {
	t.Helper()
	data, err := json.Marshal(o)
	require.NoError(t, err)
	return core.Invocation{
		ExecutionID: "execution-1", TaskID: "task-1", TaskName: "Task", Type: taskType, Trigger: core.TriggerManual,
		Attempt: 2, MaxAttempts: 3, Token: 1 << 60, NominalTime: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
		Deadline: time.Now().Add(time.Minute), Data: data,
	}
}

// do runs the guest and demands success.
func (s *suite) do(t testing.TB, taskType string, o order) core.Outcome {
	t.Helper()
	out, err := s.host.Invoke(t.Context(), invocation(t, taskType, o))
	require.NoError(t, err)
	require.Equal(t, "guest@1.2.3", out.Plugin)
	return out
}

// fail runs the guest and demands a failure.
func (s *suite) fail(t testing.TB, taskType string, o order) (core.Outcome, *core.Failure) {
	t.Helper()
	out, err := s.host.Invoke(t.Context(), invocation(t, taskType, o))
	return out, failure(t, err)
}

func failure(t testing.TB, err error) *core.Failure {
	t.Helper()
	var f *core.Failure
	require.ErrorAs(t, err, &f)
	return f
}

// expect demands a code and a class.
func expect(t testing.TB, f *core.Failure, code core.Code, class core.Class) {
	t.Helper()
	require.Equal(t, code, f.Code, f.Message)
	require.Equal(t, class, f.Class, f.Message)
}
