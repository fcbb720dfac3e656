package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// outside is a fake notification service with a journal of what reached it. The
// plugin effect reaches it, too.
type outside struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]int // deliveries by idempotency key
	bodies  []object
	alerts  []object        // of the service itself, which are no effects of plugins
	respond func(n int) int // status of the n-th request, from 1; nil: 202
}

func newOutside(t testing.TB) *outside {
	o := &outside{keys: map[string]int{}}
	o.Server = httptest.NewServer(http.HandlerFunc(o.take))
	t.Cleanup(o.Close)
	return o
}

func (o *outside) take(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/notifications" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var body object
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if _, alert := body["event"]; alert {
		o.alerts = append(o.alerts, body)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	status := http.StatusAccepted
	o.bodies = append(o.bodies, body)
	if o.respond != nil {
		status = o.respond(len(o.bodies))
	}
	if status < 300 {
		o.keys[r.Header.Get("Idempotency-Key")]++
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{}`))
}

// delivered returns how often each idempotency key arrived.
func (o *outside) delivered() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[string]int, len(o.keys))
	for k, n := range o.keys {
		all[k] = n
	}
	return all
}

func (o *outside) requests() []object {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]object(nil), o.bodies...)
}

// alerted returns the alerts so far.
func (o *outside) alerted() []object {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]object(nil), o.alerts...)
}
