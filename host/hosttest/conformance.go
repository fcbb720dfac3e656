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

// Candidate is a plugin, in whatever language, that implements the handler of
// docs/conformance.md.
type Candidate struct {
	Runtime string                          // as plugins.yaml names it
	New     func(t testing.TB) host.Runtime // a runtime, closed when the test ends
	Path    string                          // of the module or program
	Shared  bool                            // runs share the program's memory
}

// The task types of a candidate.
const (
	open   = "open"   // everything is granted
	closed = "closed" // nothing is granted, little memory
)

const candidates = `
plugins:
  - type: open
    runtime: %[1]s
    source: %[2]s
    limits: {memory: 96MiB, output: 4MiB, logs: 1MiB}
    config: {greeting: "Grüß Gott", list: [1, 2.5, null]}
    grants:
      kv: true
      notify: true
      publish: ["stream.*"]
      enqueue: [message]
      http: ["%[3]s/**", "%[4]s/**", "%[5]s/**"]
      privateNetworks: [127.0.0.1/32]
      secrets: [canary]
  - type: closed
    runtime: %[1]s
    source: %[2]s
    limits: {memory: 40MiB}
`

// TestConformance runs the conformance table of docs/conformance.md against a
// plugin: what it answers, how its failures are classed, what it logs, and which
// effects come out at the host's other end.
func TestConformance(t *testing.T, c Candidate) {
	w := newWorld(t, c)
	for _, row := range Rows() {
		if row.OwnMemory && c.Shared {
			continue
		}
		t.Run(row.Name, func(t *testing.T) { w.run(t, row) })
	}
	t.Run("the manifest", func(t *testing.T) {
		for _, p := range w.host.Plugins() {
			require.Equal(t, "conformance", p.Name)
			require.Equal(t, "1.0.0", p.Version)
			require.JSONEq(t, `{"type": "object", "required": ["case"]}`, string(p.DataSchema))
		}
	})
}

// world is a candidate, loaded, and everything it can have an effect on.
type world struct {
	host        *host.Host
	shelf       *shelf
	checkpoints *checkpoints
	fill        *strings.Replacer // puts the addresses of the servers into a text
}

func newWorld(t *testing.T, c Candidate) *world {
	web, busy, gone := newServers(t)
	w := &world{shelf: &shelf{}, checkpoints: newCheckpoints(), fill: strings.NewReplacer("$WEB", web, "$BUSY", busy, "$GONE", gone)}
	path := filepath.Join(t.TempDir(), "plugins.yaml")
	source, err := filepath.Abs(c.Path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, candidates, c.Runtime, source, web, busy, gone), 0o600))
	w.host = host.New(host.Config{
		Path:     path,
		Runtimes: map[string]host.Runtime{c.Runtime: c.New(t)},
		State:    w.shelf, Checkpoints: w.checkpoints, Drafter: drafter{},
		Environ:     func(name string) (string, bool) { return canary, name == "SECRET_CANARY" },
		LoadTimeout: 10 * time.Minute, // an interpreter is large, and the race detector slow
	})
	t.Cleanup(func() { require.NoError(t, w.host.Close(context.Background())) })
	require.NoError(t, w.host.Load(t.Context()))
	for _, p := range w.host.Plugins() {
		require.Equal(t, core.PluginLoaded, p.State, p.Error)
	}
	return w
}

// run invokes the candidate as a row says and holds everything that comes of it
// against the row.
func (w *world) run(t *testing.T, row Row) {
	w.shelf.fill(row.State)
	in := invocation(t, open, order{})
	in.Token = 1<<60 + 1 // odd: no double holds it
	in.Data = json.RawMessage(w.fill.Replace(row.Data))
	if row.Closed {
		in.Type = closed
	}
	if row.Time > 0 {
		in.Deadline = time.Now().Add(row.Time)
	}
	delete(w.checkpoints.values, in.ExecutionID)
	if row.Checkpoint != "" {
		w.checkpoints.values[in.ExecutionID] = json.RawMessage(row.Checkpoint)
	}
	var reports []string
	in.Report = func(p core.Progress) { reports = append(reports, fmt.Sprint(p.Percent, " ", p.Message)) }
	start := time.Now()
	for range max(row.Times, 1) {
		out, err := w.host.Invoke(t.Context(), in)
		if row.Failure != nil {
			row.Failure.check(t, err)
		} else {
			require.NoError(t, err)
			w.checkResult(t, row, out.Result)
		}
		checkLogs(t, row, out)
		row.checkEffects(t, out.Effects, in.Type)
	}
	require.Equal(t, row.Reports, reports)
	saved := cmp.Or(w.checkpoints.saved(in.ExecutionID), "null")
	require.JSONEq(t, cmp.Or(row.Saved, row.Checkpoint, "null"), saved)
	if row.Time > 0 {
		require.Less(t, time.Since(start), row.Time+slack)
	}
}

func (w *world) checkResult(t *testing.T, row Row, got json.RawMessage) {
	switch {
	case row.Check != nil:
		row.Check(t, got)
	case len(row.Result) > 1<<10:
		require.True(t, row.Result == string(got), "the result differs; it begins %.100s", got) //nolint:testifylint // JSONEq would print a megabyte
	default:
		require.JSONEq(t, w.fill.Replace(row.Result), string(got))
	}
}

// checkLogs looks for the row's lines. A candidate that traps may log more.
func checkLogs(t *testing.T, row Row, out core.Outcome) {
	if row.Logs == nil {
		return
	}
	var got []core.LogLine
	for _, l := range out.Logs {
		require.NotZero(t, l.Time)
		got = append(got, core.LogLine{Level: l.Level, Message: l.Message, Fields: l.Fields})
	}
	require.Equal(t, row.Logs, got)
}

// check demands a failure.
func (f *Failure) check(t *testing.T, err error) {
	got := failure(t, err)
	expect(t, got, f.Code, f.Class)
	require.Contains(t, got.Message, f.Message)
	require.Equal(t, f.RetryAfter, got.RetryAfter)
}

// checkEffects demands exactly the row's effects.
func (row Row) checkEffects(t *testing.T, got core.Effects, taskType string) {
	require.Len(t, got.State, len(row.Writes))
	for i, want := range row.Writes {
		require.Equal(t, taskType, got.State[i].Owner)
		require.Equal(t, want.Key, got.State[i].Key)
		require.Equal(t, want.Expires, got.State[i].ExpiresAt != nil)
		if want.Value == "" {
			require.Nil(t, got.State[i].Value)
			continue
		}
		require.JSONEq(t, want.Value, string(got.State[i].Value))
	}
	var events, tasks []string
	for _, m := range got.Messages {
		events = append(events, fmt.Sprintf("%s %s %s", m.ID, m.Type, compact(t, m.Data)))
	}
	for _, task := range got.Tasks {
		tasks = append(tasks, fmt.Sprintf("%s %q %s %s", task.Type, task.Name, task.RunAt.Format(time.RFC3339), compact(t, task.Data)))
	}
	require.Equal(t, row.Events, events)
	require.Equal(t, row.Tasks, tasks)
}

// compact renders JSON in one way.
func compact(t *testing.T, raw json.RawMessage) string {
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
