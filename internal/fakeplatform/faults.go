package fakeplatform

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind is a way to go wrong.
type FaultKind string

// The kinds of faults.
const (
	FaultRateLimited  FaultKind = "rate_limited" // 429; see Scope and RetryAfterMS
	FaultStatus       FaultKind = "status"       // the status of Status, such as 503
	FaultUnauthorized FaultKind = "unauthorized" // 401
	FaultHang         FaultKind = "hang"         // no answer until the client leaves, 5 minutes at most
	FaultHangAfter    FaultKind = "hang_after"   // the same after it was done
	FaultResetBefore  FaultKind = "reset_before" // the connection is cut, and nothing was done
	FaultResetAfter   FaultKind = "reset_after"  // the connection is cut after it was done
	FaultSlowBody     FaultKind = "slow_body"    // the answer comes byte by byte, over DelayMS
	FaultWrongJSON    FaultKind = "wrong_json"   // done, and the answer is cut short
	FaultNotSent      FaultKind = "not_sent"     // Twitch: 200 with is_sent: false
)

var faultKinds = []FaultKind{
	FaultRateLimited, FaultStatus, FaultUnauthorized, FaultHang, FaultHangAfter, FaultResetBefore, FaultResetAfter,
	FaultSlowBody, FaultWrongJSON, FaultNotSent,
}

// Fault goes wrong on purpose.
type Fault struct {
	// Route is the route's name, such as discord.create_message, or a pattern
	// with *, such as twitch.* or *.
	Route string    `json:"route"`
	Kind  FaultKind `json:"kind"`
	// Times is how many requests it meets; 0 is all until it is removed.
	Times int `json:"times,omitempty"`

	Status       int    `json:"status,omitempty"`       // of status; default 500
	Scope        string `json:"scope,omitempty"`        // of rate_limited: user (default), shared or global
	RetryAfterMS int64  `json:"retryAfterMs,omitempty"` // of rate_limited; default 1000
	DelayMS      int64  `json:"delayMs,omitempty"`      // of slow_body; default 1000
}

// Faults are the faults that are set. It is safe for concurrent use.
type Faults struct {
	mu  sync.Mutex
	set []Fault
}

const (
	maxFaults = 100
	maxHang   = 5 * time.Minute
)

// Add sets a fault. Of several for a route the oldest goes first. The error says
// what is wrong with it.
func (f *Faults) Add(fault Fault) error {
	switch fault.Kind {
	case FaultStatus:
		if fault.Status == 0 {
			fault.Status = http.StatusInternalServerError
		}
		if fault.Status < 300 || fault.Status > 599 {
			return errors.New("status: is not between 300 and 599")
		}
	case FaultRateLimited:
		fault.Scope = cmp.Or(fault.Scope, "user")
		if !slices.Contains([]string{"user", "shared", "global"}, fault.Scope) {
			return errors.New("scope: is none of user, shared, global")
		}
	default:
		if !slices.Contains(faultKinds, fault.Kind) {
			return fmt.Errorf("kind: is none of %s", joined(faultKinds))
		}
	}
	if fault.RetryAfterMS <= 0 {
		fault.RetryAfterMS = 1000
	}
	if fault.DelayMS <= 0 {
		fault.DelayMS = 1000
	}
	if _, err := path.Match(fault.Route, ""); err != nil || fault.Route == "" {
		return errors.New("route: is no route's name, such as discord.create_message, nor a pattern such as twitch.*")
	}
	if fault.Times < 0 || fault.DelayMS > maxHang.Milliseconds() {
		return errors.New("times, delayMs: out of range")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.set) >= maxFaults {
		return fmt.Errorf("more than %d faults are set; remove some with DELETE /faults", maxFaults)
	}
	f.set = append(f.set, fault)
	return nil
}

// List returns the faults that are set, with how many times they have left.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Fault{}, f.set...)
}

// Clear removes all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set = nil
}

// take finds the fault that a request to a route meets, and uses it up.
func (f *Faults) take(route string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.set {
		if hit, err := path.Match(fault.Route, route); err != nil || !hit {
			continue
		}
		if fault.Times == 1 {
			f.set = slices.Delete(f.set, i, i+1)
		} else if fault.Times > 1 {
			f.set[i].Times--
		}
		return fault, true
	}
	return Fault{}, false
}

// deliver sends an answer the way the fault wants it.
func (f Fault) deliver(w http.ResponseWriter, req *http.Request, a answer) {
	switch f.Kind {
	case FaultHang, FaultHangAfter:
		wait(req, maxHang)
		panic(http.ErrAbortHandler)
	case FaultResetBefore, FaultResetAfter:
		panic(http.ErrAbortHandler) // ends the connection without an answer
	case FaultWrongJSON:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(`{"id": "12`)) // the client has left
	case FaultSlowBody:
		a.write(&slowWriter{ResponseWriter: w, req: req, delay: time.Duration(f.DelayMS) * time.Millisecond})
	default:
		a.write(w)
	}
}

// slowWriter spreads a body over a time.
type slowWriter struct {
	http.ResponseWriter
	req   *http.Request
	delay time.Duration
}

// Write writes byte by byte.
func (s *slowWriter) Write(p []byte) (int, error) {
	control := http.NewResponseController(s.ResponseWriter)
	for i := range p {
		if _, err := s.ResponseWriter.Write(p[i : i+1]); err != nil {
			return i, err
		}
		if err := control.Flush(); err != nil {
			return i, err
		}
		wait(s.req, s.delay/time.Duration(len(p)))
	}
	return len(p), nil
}

// wait waits until the time is over or the client has left.
func wait(req *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-req.Context().Done():
	}
}

func joined(kinds []FaultKind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}
