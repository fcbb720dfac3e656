package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Heartbeat implements core.WorkStore. A lease that has expired and was not
// reaped yet is extended: nobody else has the work, so going on is best. Each
// batch is a transaction of its own, so that the ends of a busy node wait for no
// more than one.
func (s *Store) Heartbeat(ctx context.Context, leases []core.Lease, ttl time.Duration) (core.HeartbeatReport, error) {
	var report core.HeartbeatReport
	err := inBatches(leases, func(batch []core.Lease) error {
		var held map[string]bool
		err := s.write(ctx, "heartbeat", func(ctx context.Context, c conn) (err error) {
			held, err = c.extend(ctx, batch, c.now.Add(ttl))
			return err
		})
		if err != nil {
			return err
		}
		for _, l := range batch {
			cancel, ok := held[l.ExecutionID]
			switch {
			case !ok:
				report.Lost = append(report.Lost, l.ExecutionID)
			case cancel:
				report.Cancel = append(report.Cancel, l.ExecutionID)
			}
		}
		return nil
	})
	if err != nil {
		return core.HeartbeatReport{}, err
	}
	return report, nil
}

// extend returns the executions whose lease was extended, and whether they were
// asked to end.
func (c conn) extend(ctx context.Context, leases []core.Lease, until time.Time) (map[string]bool, error) {
	const columns = `held_id, held_token`
	ids, args := make([]string, len(leases)), make([]any, 0, 2*len(leases)+1)
	for i, l := range leases {
		ids[i], args = l.ExecutionID, append(args, l.ExecutionID, l.Token)
	}
	if err := c.lockLive(ctx, ids); err != nil {
		return nil, err
	}
	v, args := c.table(columns, args)
	var rows []struct {
		ID     string `db:"id"`
		Cancel bool   `db:"cancel_requested"`
	}
	err := c.list(ctx, &rows, `
		WITH v (`+columns+`) AS (`+v+`)
		UPDATE executions SET lease_until = ?
		FROM v WHERE id = v.held_id AND token = v.held_token AND `+hereRunning+`
		RETURNING id, cancel_requested`, append(args, stamp(until))...)
	held := make(map[string]bool, len(rows))
	for _, r := range rows {
		held[r.ID] = r.Cancel
	}
	return held, err
}

// Finish implements core.WorkStore. Most attempts end an execution of which
// nothing has changed since it was claimed: those go to history at once. The
// others are read, locked and written back.
func (s *Store) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	var finished []core.Finished
	err := s.write(ctx, "finish", func(ctx context.Context, c conn) error {
		if err := c.holdShared(ctx, judging); err != nil {
			return err
		}
		began := runs{}
		var err error
		if finished, err = c.finishUnchanged(ctx, done, began); err != nil {
			return err
		}
		if err := c.finishOthers(ctx, done, finished, began); err != nil {
			return err
		}
		settled, logged := make([]core.Execution, 0, len(done)), make([]core.Completion, 0, len(done))
		var effects []core.Effects
		for i, f := range finished {
			if !f.Applied {
				continue
			}
			settled, logged = append(settled, f.Execution), append(logged, done[i])
			if f.Execution.Status == core.StatusSucceeded && !done[i].Effects.Empty() {
				effects = append(effects, done[i].Effects)
			}
		}
		if err := c.followRuns(ctx, settled, began); err != nil {
			return err
		}
		if err := c.apply(ctx, effects); err != nil {
			return err
		}
		return c.insertLogs(ctx, logged)
	})
	if err != nil {
		return nil, err
	}
	return finished, nil
}

// asClaimed is what conn.retire asks of executions that are settled without being
// read: that nothing has changed since they were claimed. One that is watched may
// be told of at any time, so it does not come here.
func (c conn) asClaimed() string {
	return `e.token = v.token AND COALESCE(e.status, '') = 'running' AND e.cancel_requested = ` + c.dialect.no
}

// finishUnchanged ends executions that are as they were claimed. The rest of what
// it returns is not applied yet.
func (c conn) finishUnchanged(ctx context.Context, done []core.Completion, began runs) ([]core.Finished, error) {
	finished := make([]core.Finished, len(done))
	ended, at := make([]core.Execution, 0, len(done)), make(map[string]int, len(done))
	ids := make([]string, 0, len(done))
	for i, d := range done {
		if _, twice := at[d.ExecutionID]; twice {
			continue // a lease ends once
		}
		ids, at[d.ExecutionID] = append(ids, d.ExecutionID), i
		if d.Claimed == nil || d.Claimed.Watched() {
			continue
		}
		e := *d.Claimed
		e.Attempts = slices.Clip(e.Attempts) // Settle adds to them
		if d.Settle(c.now, &e); e.Status.Final() && e.Token == d.Token {
			ended = append(ended, e)
		}
	}
	if len(ended) < len(ids) { // two statements, which lock them in two orders
		if err := c.lockLive(ctx, ids); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(ended, func(a, b core.Execution) int { return strings.Compare(a.ID, b.ID) }) // the order in which others lock them
	retired, err := c.retire(ctx, ended, c.asClaimed())
	for _, e := range ended {
		if until, ok := retired[e.ID]; ok {
			began.add(*done[at[e.ID]].Claimed)
			e.LeaseUntil = until.Time
			finished[at[e.ID]] = core.Finished{Applied: true, Execution: e}
		}
	}
	return finished, err
}

// finishOthers settles what is not finished yet.
func (c conn) finishOthers(ctx context.Context, done []core.Completion, finished []core.Finished, began runs) error {
	var rest []core.Completion
	for i, d := range done {
		if !finished[i].Applied {
			rest = append(rest, d)
		}
	}
	running, err := c.running(ctx, rest)
	if err != nil {
		return err
	}
	var settled []core.Execution
	for i, d := range done {
		e, ok := running[d.ExecutionID]
		if finished[i].Applied || !ok || e.Token != d.Token {
			continue
		}
		delete(running, d.ExecutionID) // a lease ends once
		began.add(e)
		d.Settle(c.now, &e)
		finished[i] = core.Finished{Applied: true, Execution: e}
		settled = append(settled, e)
	}
	return c.save(ctx, settled)
}

// runningRow is what may have changed in a running execution since it was
// claimed.
type runningRow struct {
	ID              string    `db:"id"`
	Token           int64     `db:"token"`
	CancelRequested bool      `db:"cancel_requested"`
	LeaseUntil      timestamp `db:"lease_until"`
	LateAt          timestamp `db:"late_at"`
}

// running locks the executions whose attempts have ended and returns them, by
// id: as they were claimed, with what has changed since. Those whose lease was
// lost are left out. It waits for nobody, because others are locked already: the
// transaction is repeated when somebody has one of them.
func (c conn) running(ctx context.Context, done []core.Completion) (map[string]core.Execution, error) {
	ids := make([]string, len(done))
	for i, d := range done {
		ids[i] = d.ExecutionID
	}
	rows, err := listIn[runningRow](ctx, c, `
		SELECT id, token, cancel_requested, lease_until, late_at FROM executions
		WHERE id IN (?) AND `+hereRunning+c.dialect.lockNow, ids)
	if err != nil {
		return nil, err
	}
	held := make(map[string]runningRow, len(rows))
	for _, r := range rows {
		held[r.ID] = r
	}
	running, unknown := make(map[string]core.Execution, len(rows)), []string(nil)
	for _, d := range done {
		r, ok := held[d.ExecutionID]
		switch {
		case !ok || r.Token != d.Token:
		case d.Claimed == nil:
			unknown = append(unknown, d.ExecutionID)
		default:
			e := *d.Claimed
			e.Attempts = slices.Clip(e.Attempts) // Settle adds to them
			e.CancelRequested, e.LeaseUntil, e.LateAt = r.CancelRequested, r.LeaseUntil.Time, r.LateAt.pointer()
			running[e.ID] = e
		}
	}
	return running, c.addLive(ctx, running, unknown)
}

// addLive reads executions that have not ended.
func (c conn) addLive(ctx context.Context, to map[string]core.Execution, ids []string) error {
	rows, err := listIn[executionRow](ctx, c, `SELECT `+executionColumns+` FROM executions WHERE id IN (?)`, ids)
	if err != nil {
		return err
	}
	executions, err := executionsOf(rows)
	for _, e := range executions {
		to[e.ID] = e
	}
	return err
}

func (c conn) insertLogs(ctx context.Context, done []core.Completion) error {
	done = slices.DeleteFunc(done, func(d core.Completion) bool {
		return len(d.Log.Lines) == 0 && d.Log.Dropped == 0
	})
	return inBatches(done, func(batch []core.Completion) error {
		const columns = `execution_id, attempt, lines, dropped`
		args := make([]any, 0, 4*len(batch))
		for _, d := range batch {
			args = append(args, d.ExecutionID, d.Log.Attempt, document[[]core.LogLine]{d.Log.Lines}, d.Log.Dropped)
		}
		v, args := c.table(columns, args)
		_, err := c.exec(ctx, `INSERT INTO execution_logs (`+columns+`) `+v, args...)
		return err
	})
}

// Reap implements core.WorkStore.
func (s *Store) Reap(ctx context.Context, limit int, settle func(now time.Time, e *core.Execution)) ([]core.Execution, error) {
	var reaped []core.Execution
	err := s.write(ctx, "reap", func(ctx context.Context, c conn) error {
		err := c.holdShared(ctx, judging)
		if err != nil {
			return err
		}
		if reaped, err = c.expired(ctx, limit); err != nil {
			return err
		}
		began := runs{}
		for i := range reaped {
			began.add(reaped[i])
			settle(c.now, &reaped[i])
		}
		if err := c.save(ctx, reaped); err != nil {
			return err
		}
		return c.followRuns(ctx, reaped, began)
	})
	if err != nil {
		return nil, err
	}
	return reaped, nil
}

// expired reads the running executions whose lease has run out, oldest first.
func (c conn) expired(ctx context.Context, limit int) ([]core.Execution, error) {
	var rows []executionRow
	err := c.list(ctx, &rows, `
		SELECT `+executionColumns+` FROM executions
		WHERE `+isRunning+` AND lease_until < ?
		ORDER BY lease_until LIMIT ?`+c.dialect.skipLocked, stamp(c.now), limit)
	if err != nil {
		return nil, err
	}
	return executionsOf(rows)
}
