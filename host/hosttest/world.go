package hosttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// newServers starts a server with pages, one that has no time, and one that is
// gone, and returns their addresses.
func newServers(t testing.TB) (web, busy, gone string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "%s %s %s|%s", r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), body)
	})
	mux.HandleFunc("/known", func(w http.ResponseWriter, r *http.Request) { // tells by the status that the secret arrived
		if r.Header.Get("Authorization") != "Bearer "+canary {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	start := func(h http.Handler) *httptest.Server {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s
	}
	late := start(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	closing := start(http.NotFoundHandler())
	closing.Close()
	return start(mux).URL, late.URL, closing.URL
}

// shelf is a core.StateStore with what a row puts into it. It keeps nothing: a
// row's writes are its own.
type shelf struct {
	mu      sync.Mutex
	entries []core.StateEntry
}

// fill replaces what is there.
func (s *shelf) fill(values map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = nil
	for key, value := range values {
		s.entries = append(s.entries, core.StateEntry{Key: key, Value: json.RawMessage(value)})
	}
	slices.SortFunc(s.entries, func(a, b core.StateEntry) int { return strings.Compare(a.Key, b.Key) })
}

// PluginState implements core.StateStore.
func (s *shelf) PluginState(_ context.Context, _, prefix, after string, limit int) ([]core.StateEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []core.StateEntry
	for _, e := range s.entries {
		if strings.HasPrefix(e.Key, prefix) && e.Key > after && len(page) < limit {
			page = append(page, e)
		}
	}
	return page, nil
}

// PluginStateSize implements core.StateStore.
func (s *shelf) PluginStateSize(context.Context, string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.entries {
		n += len(e.Key) + len(e.Value)
	}
	return n, nil
}

// drafter is a host.Drafter that finds every task right.
type drafter struct{}

// NewSpec implements host.Drafter.
func (drafter) NewSpec() core.TaskSpec { return core.TaskSpec{Data: json.RawMessage(`{}`)} }

// Draft implements host.Drafter.
func (drafter) Draft(_ context.Context, spec core.TaskSpec) (core.Task, error) {
	return core.Task{ID: "task-9", TaskSpec: spec}, nil
}

var (
	_ core.StateStore = (*shelf)(nil)
	_ host.Drafter    = drafter{}
)
