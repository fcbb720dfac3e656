package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/config"
)

// lingering are goroutines of the HTTP server's library that end a while after
// the server has, or serve all servers of a process.
var lingering = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, lingering...) }

// env is an environment; a directory with no plugins is its own.
type env map[string]string

func newEnv(t *testing.T, vars ...string) env {
	t.Helper()
	dir := t.TempDir()
	e := env{"DATA_DIR": filepath.Join(dir, "data"), "PLUGINS_CONFIG": filepath.Join(dir, "plugins.yaml"), "PORT": "0"}
	e.plugins(t, "plugins: []\n")
	return e.with(vars...)
}

// with sets variables such as "PORT=1".
func (e env) with(vars ...string) env {
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		e[name] = value
	}
	return e
}

func (e env) plugins(t *testing.T, yaml string) {
	t.Helper()
	require.NoError(t, os.WriteFile(e["PLUGINS_CONFIG"], []byte(yaml), 0o600))
}

func (e env) config(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Load(func(name string) string { return e[name] })
	require.NoError(t, err)
	return c
}

// build makes a service and stops it at the end of the test.
func (e env) build(t *testing.T) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), e.config(t), hclog.NewNullLogger(), "test")
	require.NoError(t, err)
	t.Cleanup(func() { stop(a, 0) })
	return a
}

func (e env) start(t *testing.T) *service {
	t.Helper()
	s := &service{App: e.build(t), t: t}
	require.NoError(t, s.Start(t.Context()))
	return s
}

// stop drains a service with a grace period.
func stop(a *app.App, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	a.Stop(ctx)
}

// service is a running App and a client of it.
type service struct {
	*app.App
	t *testing.T
}

type object = map[string]any

var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

// call makes a request and demands a status.
func (s *service) call(status int, method, path string, body any) object {
	s.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(s.t, err)
	if body == nil {
		raw = nil
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.Addr()+path, bytes.NewReader(raw))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	var answer object
	require.NoError(s.t, json.NewDecoder(resp.Body).Decode(&answer))
	require.Equal(s.t, status, resp.StatusCode, "%s %s: %v", method, path, answer)
	return answer
}

// check is one part of GET /health.
func (s *service) check(part string) object {
	s.t.Helper()
	return s.call(200, "GET", "/health", nil)["checks"].(object)[part].(object)
}

// task creates a task; more are further fields.
func (s *service) task(taskType string, more object) object {
	s.t.Helper()
	spec := object{"name": "task", "type": taskType}
	for k, v := range more {
		spec[k] = v
	}
	return s.call(201, "POST", "/tasks", spec)
}

func (s *service) execute(task object) object {
	s.t.Helper()
	return s.call(202, "POST", "/tasks/"+task["id"].(string)+"/execute", nil)
}

func (s *service) eventually(what string, condition func() bool) {
	s.t.Helper()
	require.Eventually(s.t, condition, 10*time.Second, 10*time.Millisecond, what)
}
