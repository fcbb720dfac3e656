package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// effect is something that an execution has done to the outside world.
type effect struct {
	Mark      string `json:"mark"` // begin: it is about to; effect: it has
	Attempt   int    `json:"attempt"`
	Token     int64  `json:"token"` // the fencing token of the claim
	execution string
	key       string // the idempotency key
}

// journal is a fake outside world that writes down every effect that reaches
// it, repeated ones too. Alerts go to the same server and are counted apart.
type journal struct {
	*httptest.Server
	mu      sync.Mutex
	effects []effect
	alerts  map[string]int // by idempotency key
}

func newJournal(t testing.TB) *journal {
	j := &journal{alerts: map[string]int{}}
	j.Server = httptest.NewServer(http.HandlerFunc(j.take))
	t.Cleanup(j.Close)
	return j
}

func (j *journal) take(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost { // somebody asks whether we are there
		return
	}
	var body struct{ Event, ExecutionID, Message string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	j.mu.Lock()
	defer j.mu.Unlock()
	if body.Event != "" {
		j.alerts[key]++
	} else {
		e := effect{execution: body.ExecutionID, key: key}
		if err := json.Unmarshal([]byte(body.Message), &e); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		j.effects = append(j.effects, e)
	}
	w.WriteHeader(http.StatusAccepted)
}

// marks returns what was written down with a mark, of one execution or, with an
// empty id, of all.
func (j *journal) marks(mark, execution string) []effect {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []effect
	for _, e := range j.effects {
		if e.Mark == mark && (execution == "" || e.execution == execution) {
			found = append(found, e)
		}
	}
	return found
}
