package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// spy is a host.Observer that writes down what it is told, times left out.
type spy struct {
	mu   sync.Mutex
	told []string
}

func (s *spy) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf(format, args...))
}

func (s *spy) ObserveCall(taskType, op, outcome string, _ time.Duration) {
	s.add("call %s %s %s", taskType, op, outcome)
}

func (s *spy) ObserveRequest(taskType string, status int, sent, received int64) {
	s.add("request %s %d %d %d", taskType, status, sent, received)
}

func (s *spy) ObserveRun(taskType string, code core.Code, _, cpu time.Duration) {
	s.add("run %s %s %v", taskType, code, cpu)
}

func (s *spy) ObserveLoad(runtime string, loaded bool, _ time.Duration) {
	s.add("load %s %v", runtime, loaded)
}

func TestWhatPluginsDoIsObserved(t *testing.T) {
	h := newHouse(t)
	var reply error
	h.runtime.program("good").handle = func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		caller.Computed(7 * time.Millisecond)
		for _, ask := range []struct {
			op   string
			args any
		}{
			{wire.OpConfig, nil}, {wire.OpProgress, []int{1}}, {"made up by the guest", nil}, {wire.OpStateGet, wire.StateKey{Key: "k"}},
			{wire.OpNotify, nil}, {wire.OpLog, wire.LogLine{}}, {wire.OpLog, wire.LogLine{}},
		} {
			if _, reply = caller.Call(ctx, ask.op, arguments(t, ask.args)); reply != nil {
				return nil, reply
			}
		}
		return nil, errors.New("no end")
	}
	h.list(t, "limits: {logLines: 1}", "grants: {kv: true}", "", "- type: bad", "  runtime: fake", "  source: bad")
	h.file(t, "plugins.yaml", dedent(t, h, "- type: bad"))
	h.file(t, "bad", "unheard of")
	seen := &spy{}
	h.Host = host.New(host.Config{
		Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, State: brokenStore{}, Observer: seen,
	})
	h.load(t)
	_, err := h.invoke(t, "x")
	require.Equal(t, core.CodePluginDenied, failureCode(err))
	require.Equal(t, []string{
		"load fake true", "load fake false",
		"call x config ok", "call x progress refused", "call x unknown refused", "call x kv.get failed", "call x notify denied",
		"call x log ok", "call x log ended", "run x PLUGIN_DENIED 7ms",
	}, seen.told)
}

func TestRequestsAreObserved(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/on":
			w.Header().Set("Location", "/end")
			w.WriteHeader(http.StatusTemporaryRedirect)
		case "/gone":
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write(make([]byte, 30))
		}
	})
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
	_, f := v.run(t, send("POST", s.at("a.test", "/on")), send("POST", s.at("a.test", "/gone")))
	require.Equal(t, core.CodeExecutionFailed, f.Code)
	require.Equal(t, []string{
		"load fake true", "request x 307 4 0", "request x 418 4 30", "call x http ok", "request x 0 4 0", "call x http failed", "run x EXECUTION_FAILED 0s",
	}, v.told.told)
}
