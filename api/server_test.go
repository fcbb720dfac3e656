package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// catalogue knows the type "test", whose data needs {"n": …}, and the type
// "broken", whose plugin is not loaded.
type catalogue struct{}

func (catalogue) ValidateData(taskType string, data json.RawMessage) error {
	switch taskType {
	case "test":
		if bytes.Contains(data, []byte("bad")) {
			return core.Invalid(core.CodeValidationFailed, []core.FieldProblem{{Field: "/data/bad", Problem: "is not allowed"}})
		}
		return nil
	case "broken":
		return core.Errorf(core.CodePluginUnavailable, "plugin broken is not loaded: no such file")
	}
	return core.Invalid(core.CodeValidationFailed, []core.FieldProblem{{Field: "/type", Problem: "is not known"}})
}

func (catalogue) Plugins() []core.PluginStatus {
	return []core.PluginStatus{{Type: "test", State: "loaded"}, {Type: "broken", State: "failed", Error: "no such file"}}
}

type health struct{ err error }

func (h health) Ready(context.Context) error { return h.err }
func (h health) Check(context.Context) api.HealthReport {
	if h.err != nil {
		return api.HealthReport{Status: api.HealthDown}
	}
	return api.HealthReport{Status: api.HealthOK}
}

// fixture is a server over the in-process store; nothing runs executions.
type fixture struct {
	t      testing.TB
	server *api.Server
	store  core.Store
}

func newFixture(t testing.TB) *fixture {
	return fixtureOn(t, memory.NewStore(core.SystemClock{}), health{})
}

func fixtureOn(t testing.TB, store core.Store, h api.Health) *fixture {
	return fixtureWith(t, store, api.Config{Health: h})
}

// fixtureWith is a server over a store that is configured otherwise.
func fixtureWith(t testing.TB, store core.Store, cfg api.Config) *fixture {
	cfg.Scheduler = core.NewScheduler(core.SchedulerConfig{
		Store: store, Types: catalogue{}, Signals: memory.NewSignals(), Clock: core.SystemClock{},
		Timetable: core.Timetable{MinInterval: time.Second},
		Defaults:  core.Defaults{Timeout: 5 * time.Minute, RetryAttempts: 3, RetryDelay: time.Minute},
	})
	return &fixture{t: t, store: store, server: api.New(cfg)}
}

type object = map[string]any

type response struct {
	status int
	header http.Header
	body   object
}

func (f *fixture) do(method, path string, body any, header ...string) response {
	f.t.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		raw, err = json.Marshal(b)
		require.NoError(f.t, err)
	}
	req := httptest.NewRequest(method, path, bytes.NewReader(raw))
	if raw != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := f.server.Test(req)
	require.NoError(f.t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	r := response{status: resp.StatusCode, header: resp.Header}
	if len(answer) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		require.NoError(f.t, json.Unmarshal(answer, &r.body), "%s", answer)
	}
	return r
}

func (f *fixture) want(status int, method, path string, body any, header ...string) response {
	f.t.Helper()
	r := f.do(method, path, body, header...)
	require.Equal(f.t, status, r.status, "%s %s: %v", method, path, r.body)
	return r
}

// fails demands an error and that it names the fields.
func (f *fixture) fails(status int, code core.Code, fields []string, r response) {
	f.t.Helper()
	require.Equal(f.t, status, r.status, "%v", r.body)
	e, ok := r.body["error"].(object)
	require.True(f.t, ok, "no envelope: %v", r.body)
	require.Equal(f.t, string(code), e["code"])
	require.NotEmpty(f.t, e["message"])
	_, err := time.Parse(time.RFC3339Nano, e["timestamp"].(string))
	require.NoError(f.t, err)
	details := e["details"].(object)
	require.NotEmpty(f.t, details["requestId"])
	require.Equal(f.t, details["requestId"], r.header.Get("X-Request-Id"))
	var named []string
	list, _ := details["fields"].([]any)
	for _, x := range list {
		named = append(named, x.(object)["field"].(string))
	}
	require.Equal(f.t, fields, named)
}

func (f *fixture) task(more object) string {
	f.t.Helper()
	t := object{"name": "task", "type": "test"}
	for k, v := range more {
		t[k] = v
	}
	return f.want(201, "POST", "/tasks", t).body["id"].(string)
}

func TestErrorsOfTheHTTPLayerHaveTheEnvelope(t *testing.T) {
	f := newFixture(t)
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/nothing", nil))
	r := f.do("PATCH", "/tasks", nil)
	f.fails(405, core.CodeMethodNotAllowed, nil, r)
	require.Contains(t, r.header.Get("Allow"), "POST")
	f.fails(415, core.CodeUnsupportedMedia, nil, f.do("POST", "/tasks", `{}`, "Content-Type", "text/plain"))
	f.fails(415, core.CodeUnsupportedMedia, nil, f.do("POST", "/tasks", `{}`, "Content-Encoding", "gzip"))
	f.fails(400, core.CodeInvalidRequest, nil, f.do("POST", "/tasks", "", "Content-Type", "application/json"))
}

// TestALargeBodyIsRefused goes through a real connection: the body is refused
// before it is read.
func TestALargeBodyIsRefused(t *testing.T) {
	f := newFixture(t)
	f.fails(413, core.CodePayloadTooLarge, nil, f.send(f.listen(),
		fmt.Sprintf("POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", 10<<20)))
}

// listen serves on a port of its own and returns its address.
func (f *fixture) listen() string {
	f.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(f.t, err)
	go func() { _ = f.server.Serve(ln) }()
	f.t.Cleanup(func() { require.NoError(f.t, f.server.Shutdown(context.Background())) })
	return ln.Addr().String()
}

// send writes bytes to a connection and reads the answer.
func (f *fixture) send(addr, request string) response {
	f.t.Helper()
	t := f.t
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	r := response{status: resp.StatusCode, header: resp.Header}
	require.NoError(t, json.Unmarshal(raw, &r.body))
	return r
}

func TestTheRequestIDIsKept(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, "abc-1", f.do("GET", "/health/live", nil, "X-Request-Id", "abc-1").header.Get("X-Request-Id"))
	require.Len(t, f.do("GET", "/health/live", nil, "X-Request-Id", "a b").header.Get("X-Request-Id"), 36)
}

// failing is a store that does not answer, or that has a defect.
type failing struct {
	core.Store
	err error
}

func (s failing) Task(context.Context, string) (core.Task, error) {
	if s.err == nil {
		panic("defect with a secret in it")
	}
	return core.Task{}, s.err
}

func TestCausesAreNotShown(t *testing.T) {
	path := "/tasks/" + core.NewID()
	f := fixtureOn(t, failing{err: errors.New("password=hunter2")}, health{})
	r := f.do("GET", path, nil)
	f.fails(500, core.CodeInternal, nil, r)
	require.NotContains(t, r.body["error"].(object)["message"], "hunter2")

	f = fixtureOn(t, failing{err: context.DeadlineExceeded}, health{})
	r = f.do("GET", path, nil)
	f.fails(503, core.CodeUnavailable, nil, r)
	require.NotEmpty(t, r.header.Get("Retry-After"))

	f = fixtureOn(t, failing{}, health{})
	r = f.do("GET", path, nil)
	f.fails(500, core.CodeInternal, nil, r)
	require.NotContains(t, r.body["error"].(object)["message"], "secret")
}

func TestHealth(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/health", "/health/live", "/health/ready"} {
		f.want(200, "GET", path, nil)
	}
	f = fixtureOn(t, memory.NewStore(core.SystemClock{}), health{errors.New("the database does not answer")})
	f.want(503, "GET", "/health", nil)
	f.fails(503, core.CodeUnavailable, nil, f.do("GET", "/health/ready", nil))
	f.want(200, "GET", "/health/live", nil)
}

func TestPlugins(t *testing.T) {
	f := newFixture(t)
	require.Len(t, f.want(200, "GET", "/plugins", nil).body["items"], 2)
	require.Equal(t, "no such file", f.want(200, "GET", "/plugins/broken", nil).body["error"])
	f.fails(404, core.CodeNotFound, nil, f.do("GET", "/plugins/none", nil))
	f.fails(503, core.CodeUnavailable, nil, f.do("POST", "/plugins/reload", nil))
}
