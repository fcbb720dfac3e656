package hosttest

import (
	"context"
	"sync"

	"github.com/nexuscore/scheduler/host"
)

// outbox is a Notifier that keeps what it gets.
type outbox struct {
	mu   sync.Mutex
	sent []host.Notification
}

// Notify implements host.Notifier.
func (o *outbox) Notify(_ context.Context, n host.Notification) (host.Receipt, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, n)
	return host.Receipt{ID: "n-1", Via: n.Via}, nil
}

// take returns what was sent and forgets it.
func (o *outbox) take() []host.Notification {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.sent
	o.sent = nil
	return out
}
