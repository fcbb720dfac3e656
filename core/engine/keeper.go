package engine

import (
	"context"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// keeper holds the leases of what runs on this node: it heartbeats them, and
// tells an attempt to end when its lease is gone or somebody cancelled it.
type keeper struct {
	cfg  Config
	mu   sync.Mutex
	held map[string]*held // by execution id
}

// held is one running attempt.
type held struct {
	token  int64
	until  time.Time // by this node's monotonic clock; at or before the store's end of the lease
	cancel context.CancelCauseFunc
}

func newKeeper(cfg Config) *keeper { return &keeper{cfg: cfg, held: make(map[string]*held)} }

// add registers an attempt. claimed is the time before the claim was sent: the
// store counted the lease from later, so the node never trusts it for too long.
func (k *keeper) add(e core.Execution, claimed time.Time, cancel context.CancelCauseFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[e.ID] = &held{token: e.Token, until: claimed.Add(k.cfg.LeaseTTL), cancel: cancel}
}

// remove forgets an attempt that the store has finished. A newer claim of the
// same execution stays.
func (k *keeper) remove(l core.Lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h, ok := k.held[l.ExecutionID]; ok && h.token == l.Token {
		delete(k.held, l.ExecutionID)
	}
}

// valid reports whether an attempt's lease still lasts, by this node's clock.
func (k *keeper) valid(l core.Lease, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.held[l.ExecutionID]
	return ok && h.token == l.Token && now.Before(h.until)
}

// holds reports whether an attempt runs here, or waits for its end to be
// written.
func (k *keeper) holds(l core.Lease) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.held[l.ExecutionID]
	return ok && h.token == l.Token
}

// end tells an attempt to end, if it runs here.
func (k *keeper) end(executionID string, cause error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h, ok := k.held[executionID]; ok {
		h.cancel(cause)
	}
}

// step sends one heartbeat for everything that runs.
func (k *keeper) step(ctx context.Context) (time.Duration, error) {
	every := k.cfg.LeaseTTL / 3
	leases := k.leases()
	if len(leases) == 0 {
		return every, nil
	}
	sent := k.cfg.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	report, err := k.cfg.Store.Heartbeat(ctx, leases, k.cfg.LeaseTTL)
	if err != nil {
		return every, err
	}
	k.extend(leases, sent)
	for _, id := range report.Lost {
		k.end(id, errLeaseGone)
	}
	for _, id := range report.Cancel {
		k.end(id, errCancelled)
	}
	return every, nil
}

func (k *keeper) leases() []core.Lease {
	k.mu.Lock()
	defer k.mu.Unlock()
	leases := make([]core.Lease, 0, len(k.held))
	for id, h := range k.held {
		leases = append(leases, core.Lease{ExecutionID: id, Token: h.token})
	}
	return leases
}

func (k *keeper) extend(leases []core.Lease, sent time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range leases {
		if h, ok := k.held[l.ExecutionID]; ok && h.token == l.Token {
			h.until = sent.Add(k.cfg.LeaseTTL)
		}
	}
}

// watch ends attempts whose lease has run out on this node's own clock, whether
// heartbeats fail or hang.
func (k *keeper) watch(ctx context.Context) {
	tick := time.NewTicker(k.cfg.LeaseTTL / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.dropExpired(k.cfg.Clock.Now())
		}
	}
}

// dropExpired ends what may run elsewhere by now: the store has not answered
// for a whole lease.
func (k *keeper) dropExpired(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.held {
		if now.After(h.until) {
			h.cancel(errLeaseGone)
		}
	}
}
