package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// relay takes events from the outbox to the publisher, in order. One node at a
// time does it; after a change of hands some events may come twice.
type relay struct {
	cfg  Config
	duty duty
}

// gather is how long a relay rests after a delivery, so that a busy node
// delivers bundles.
const gather = 50 * time.Millisecond

// step delivers one batch.
func (r *relay) step(ctx context.Context) (time.Duration, error) {
	mine, err := r.duty.take(ctx)
	if err != nil || !mine {
		return r.cfg.LeaseTTL, err
	}
	report, err := r.cfg.Store.Outbox(ctx, core.MessageEvent, r.cfg.Batch)
	if err != nil || len(report.Messages) == 0 {
		return report.Wait, err
	}
	if others, err := r.othersPublish(ctx); err != nil || others {
		return r.cfg.LeaseTTL, err
	}
	if err := r.cfg.Publisher.Publish(ctx, report.Messages); err != nil {
		return 0, err
	}
	done := make([]int64, len(report.Messages))
	for i, m := range report.Messages {
		done[i] = m.Seq
	}
	if err := r.cfg.Store.SettleOutbox(ctx, slices.Compact(done), nil); err != nil {
		return 0, err
	}
	if report.Wait != 0 {
		pause(ctx, gather)
	}
	return report.Wait, nil
}

// othersPublish reports whether this node has nobody to take events to and
// another one has: dropping them is right only when nobody listens anywhere.
func (r *relay) othersPublish(ctx context.Context) (bool, error) {
	if r.cfg.publishes() {
		return false, nil
	}
	nodes, err := r.cfg.Store.Nodes(ctx, core.NodeAge)
	for _, n := range nodes {
		if n.Publishes {
			r.duty.release()
			return true, err
		}
	}
	return false, err
}

// duty is a lease on what one node at a time should do. It only saves the
// others the work.
type duty struct {
	cfg   Config
	name  string
	lease core.NamedLease // zero when not held
}

// take takes or extends the lease and reports whether this node has it.
func (d *duty) take(ctx context.Context) (bool, error) {
	var err error
	if d.lease != (core.NamedLease{}) {
		d.lease, err = d.cfg.Locker.Renew(ctx, d.lease, d.cfg.LeaseTTL)
		if err == nil {
			return true, nil
		}
		d.lease = core.NamedLease{}
		if !errors.Is(err, core.ErrLeaseLost) {
			return false, err
		}
	}
	d.lease, err = d.cfg.Locker.Acquire(ctx, d.name, d.cfg.Owner, d.cfg.LeaseTTL)
	if _, held := errors.AsType[*core.LeaseHeldError](err); held {
		return false, nil
	}
	return err == nil, err
}

// release gives the lease up, so that another node need not wait for its end.
func (d *duty) release() {
	if d.lease == (core.NamedLease{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.cfg.Locker.Release(ctx, d.lease) // it ends by itself
	d.lease = core.NamedLease{}
}
