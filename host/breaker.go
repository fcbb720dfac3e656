package host

import (
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// The cool-off of a plugin that keeps crashing: the first one, and the longest
// that doubling makes of it.
const (
	minCoolOff = 30 * time.Second
	maxCoolOff = 10 * time.Minute
)

// trialPause is how long a run waits that is not started because another one is
// the trial.
const trialPause = time.Second

// verdict is what the end of a run says about the plugin.
type verdict int

const (
	unknown verdict = iota // ended from outside, or never really begun
	sound                  // ended by its own means, well or badly
	crash                  // broke down
)

// breaker stops the runs of a plugin that crashes several times in a row. It is
//
//	closed: all runs start. The limit's crash in a row opens it.
//	open:   none starts until the cool-off is over, which doubles each time.
//	trial:  one run starts. A crash opens it again, a sound end closes it.
//
// A breaker belongs to one program under one entry; another one begins anew.
// It is safe for concurrent use.
type breaker struct {
	limit int // crashes in a row that open it

	mu      sync.Mutex
	crashes int       // in a row
	opened  int       // times in a row that it was opened; 0 is closed
	since   time.Time // when it was opened first
	until   time.Time // end of the cool-off
	reason  string    // of the last crash
	trying  bool      // the trial is under way
	term    int       // grows when the state changes: ends of older runs say nothing any more
}

// ticket is the right to run once. It is given back with end.
type ticket struct {
	term  int
	trial bool
}

// begin asks for a run. When there is none, wait says when to ask again.
func (b *breaker) begin(now time.Time) (t ticket, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.opened == 0:
		return ticket{term: b.term}, 0, true
	case now.Before(b.until):
		return ticket{}, b.until.Sub(now), false
	case b.trying:
		return ticket{}, trialPause, false
	}
	b.trying = true
	return ticket{term: b.term, trial: true}, 0, true
}

// admits tells whether begin would give a ticket.
func (b *breaker) admits(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened == 0 || !b.trying && !now.Before(b.until)
}

// end tells how a run ended. It reports whether that opened or closed the
// breaker. What runs that began before the last such change say does not count.
func (b *breaker) end(t ticket, v verdict, reason string, now time.Time) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.term != b.term {
		return false
	}
	if t.trial {
		b.trying = false
	}
	switch v {
	case sound:
		return b.close()
	case crash:
		b.crashes++
		b.reason = reason
		if t.trial || b.crashes >= b.limit {
			b.open(now)
			return true
		}
	case unknown:
	}
	return false
}

// release closes the breaker. It reports whether it was open.
func (b *breaker) release() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.close()
}

// open starts a cool-off. The lock is held.
func (b *breaker) open(now time.Time) {
	if b.opened == 0 {
		b.since = now
	}
	coolOff := maxCoolOff
	if b.opened < 16 { // beyond it the shift means nothing
		coolOff = min(minCoolOff<<b.opened, maxCoolOff)
	}
	b.until = now.Add(coolOff)
	b.opened++
	b.term++
}

// close forgets all crashes. The lock is held.
func (b *breaker) close() (wasOpen bool) {
	wasOpen = b.opened > 0
	b.crashes, b.opened, b.trying, b.reason = 0, 0, false, ""
	if wasOpen {
		b.term++
	}
	return wasOpen
}

// status says what GET /plugins shows of it; nil when it is closed.
func (b *breaker) status(now time.Time) (core.PluginState, *core.Quarantine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened == 0 {
		return core.PluginLoaded, nil
	}
	q := &core.Quarantine{Reason: b.reason, Crashes: b.crashes, Since: b.since.UTC(), Until: b.until.UTC()}
	if now.Before(b.until) {
		return core.PluginQuarantined, q
	}
	return core.PluginTrial, q
}
