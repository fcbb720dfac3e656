package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// messageRow is a row of outbox: a message, or the events of one transaction. A
// busy node ends hundreds of executions at a time, and a row for each event would
// cost as much as their history.
type messageRow struct {
	Seq         int64            `db:"seq"`
	ID          string           `db:"id"`
	Kind        core.MessageKind `db:"kind"`
	Type        string           `db:"type"`
	TaskID      string           `db:"task_id"`
	ExecutionID string           `db:"execution_id"`
	Data        rawJSON          `db:"data"` // of several: a list of bundled
	Tries       int              `db:"tries"`
	CreatedAt   timestamp        `db:"created_at"`
	Messages    int              `db:"messages"`
}

// kindEvents is the kind of a row that holds several events.
const kindEvents core.MessageKind = "events"

// bundled is an event in a row that holds several.
type bundled struct {
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	TaskID      string          `json:"taskId"`
	ExecutionID string          `json:"executionId"`
	Time        time.Time       `json:"time"`
	Data        json.RawMessage `json:"data,omitempty"`
}

func rowOf(m core.Message) messageRow {
	return messageRow{
		ID: m.ID, Kind: m.Kind, Type: m.Type, TaskID: m.TaskID, ExecutionID: m.ExecutionID, Data: rawJSON(m.Data), Tries: m.Tries,
		CreatedAt: stamp(m.Time), Messages: 1,
	}
}

// bundle puts events into one row.
func bundle(events []core.Message) (messageRow, error) {
	list := make([]bundled, len(events))
	for i, m := range events {
		list[i] = bundled{ID: m.ID, Type: m.Type, TaskID: m.TaskID, ExecutionID: m.ExecutionID, Time: m.Time, Data: m.Data}
	}
	data, err := json.Marshal(list)
	return messageRow{
		ID: events[0].ID, Kind: kindEvents, Data: data, CreatedAt: stamp(events[0].Time), Messages: len(events),
	}, err
}

// messages are what a row holds.
func (r messageRow) messages() ([]core.Message, error) {
	if r.Kind != kindEvents {
		return []core.Message{{
			ID: r.ID, Seq: r.Seq, Kind: r.Kind, Type: r.Type, TaskID: r.TaskID, ExecutionID: r.ExecutionID,
			Time: r.CreatedAt.Time, Data: json.RawMessage(r.Data), Tries: r.Tries,
		}}, nil
	}
	var list []bundled
	if err := json.Unmarshal(r.Data, &list); err != nil {
		return nil, fmt.Errorf("messages %d of the outbox: %w", r.Seq, err)
	}
	messages := make([]core.Message, len(list))
	for i, b := range list {
		messages[i] = core.Message{
			ID: b.ID, Seq: r.Seq, Kind: core.MessageEvent, Type: b.Type, TaskID: b.TaskID, ExecutionID: b.ExecutionID,
			Time: b.Time.UTC(), Data: b.Data, Tries: r.Tries,
		}
	}
	return messages, nil
}

// post adds messages to the outbox.
func (c conn) post(ctx context.Context, messages []core.Message) error {
	var rows []messageRow
	var events []core.Message
	for _, m := range messages {
		if m.Kind == core.MessageEvent {
			events = append(events, m)
		} else {
			rows = append(rows, rowOf(m))
		}
	}
	if len(events) == 1 {
		rows, events = append(rows, rowOf(events[0])), nil
	}
	for batch := range slices.Chunk(events, maxBatch) {
		row, err := bundle(batch)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return inBatches(rows, func(batch []messageRow) error {
		const columns = `id, kind, type, task_id, execution_id, data, tries, due_at, created_at, messages`
		args := make([]any, 0, len(batch)*10)
		for _, r := range batch {
			args = append(args, r.ID, r.Kind, r.Type, r.TaskID, r.ExecutionID, r.Data, r.Tries, r.CreatedAt, r.CreatedAt, r.Messages)
		}
		v, args := c.table(columns, args)
		_, err := c.exec(ctx, `INSERT INTO outbox (`+columns+`) `+v, args...)
		return err
	})
}

// Tell implements core.OutboxStore.
func (s *Store) Tell(ctx context.Context, messages []core.Message) error {
	return s.write(ctx, "tell", func(ctx context.Context, c conn) error { return c.post(ctx, core.NotAfter(messages, c.now)) })
}

// Outbox implements core.OutboxStore.
func (s *Store) Outbox(ctx context.Context, kind core.MessageKind, limit int) (core.OutboxReport, error) {
	var report core.OutboxReport
	err := s.snapshot(ctx, "read outbox", func(ctx context.Context, c conn) error {
		if err := c.walkInOrder(ctx); err != nil {
			return err
		}
		messages, more, err := c.dueMessages(ctx, kind, limit)
		report = core.OutboxReport{Messages: messages}
		if err != nil || more {
			return err
		}
		report.Wait, err = c.untilNextMessage(ctx, kind)
		return err
	})
	if err != nil {
		return core.OutboxReport{}, err
	}
	return report, nil
}

// dueMessages reads the rows that hold up to limit messages together, and the
// first one in any case.
func (c conn) dueMessages(ctx context.Context, kind core.MessageKind, limit int) (due []core.Message, more bool, err error) {
	var next []struct {
		Seq      int64 `db:"seq"`
		Messages int   `db:"messages"`
	}
	const rows = `SELECT * FROM (SELECT seq, messages FROM outbox WHERE kind = ? AND due_at <= ? ORDER BY seq LIMIT ?) AS x`
	query, args := rows, []any{kind, stamp(c.now), limit + 1}
	if kind == core.MessageEvent { // each kind in the order of the index
		query, args = query+` UNION ALL `+rows, append(args, kindEvents, stamp(c.now), limit+1)
	}
	if err := c.list(ctx, &next, query+` ORDER BY seq LIMIT ?`, append(args, limit+1)...); err != nil {
		return nil, false, err
	}
	var seqs []int64
	size := 0
	for _, n := range next {
		if size += n.Messages; size > limit && len(seqs) > 0 {
			break
		}
		seqs = append(seqs, n.Seq)
	}
	err = inBatches(seqs, func(batch []int64) error {
		var rows []messageRow
		err := c.list(ctx, &rows, `
			SELECT seq, id, kind, type, task_id, execution_id, data, tries, created_at, messages FROM outbox
			WHERE seq IN (?) ORDER BY seq`, batch)
		for _, r := range rows {
			messages, err := r.messages()
			if err != nil {
				return err
			}
			due = append(due, messages...)
		}
		return err
	})
	return due, len(next) > len(seqs), err
}

func (c conn) untilNextMessage(ctx context.Context, kind core.MessageKind) (time.Duration, error) {
	var next timestamp
	err := c.get(ctx, &next, `SELECT MIN(due_at) FROM outbox WHERE kind = ? AND due_at > ? AND `+isPutOff, kind, stamp(c.now))
	return until(c.now, next), err
}

// SettleOutbox implements core.OutboxStore.
func (s *Store) SettleOutbox(ctx context.Context, done []int64, later []core.Postponed) error {
	return s.write(ctx, "settle outbox", func(ctx context.Context, c conn) error {
		return c.settle(ctx, done, later)
	})
}

func (c conn) settle(ctx context.Context, done []int64, later []core.Postponed) error {
	err := inBatches(done, func(batch []int64) error {
		_, err := c.exec(ctx, `DELETE FROM outbox WHERE seq IN (?)`, batch)
		return err
	})
	if err != nil {
		return err
	}
	return inBatches(later, func(batch []core.Postponed) error {
		const columns = `put_off, until`
		args := make([]any, 0, 2*len(batch))
		for _, p := range batch {
			args = append(args, p.Seq, stamp(c.now.Add(p.After)))
		}
		v, args := c.table(columns, args)
		_, err := c.exec(ctx, `
			WITH v (`+columns+`) AS (`+v+`)
			UPDATE outbox SET tries = tries + 1, due_at = v.until
			FROM v WHERE seq = v.put_off`, args...)
		return err
	})
}

// RaiseLate implements core.OutboxStore. It looks before it takes the writer:
// mostly there is nothing.
func (s *Store) RaiseLate(ctx context.Context, limit int) (core.LateReport, error) {
	var report core.LateReport
	err := s.snapshot(ctx, "look for late executions", func(ctx context.Context, c conn) (err error) {
		report.Wait, err = c.untilNextLate(ctx)
		return err
	})
	if err != nil || report.Wait != 0 {
		return report, err
	}
	err = s.write(ctx, "raise late executions", func(ctx context.Context, c conn) error {
		report = core.LateReport{}
		var err error
		if report.Raised, err = c.lateExecutions(ctx, limit); err != nil {
			return err
		}
		if err := c.postLate(ctx, report.Raised); err != nil {
			return err
		}
		report.Wait, err = c.untilNextLate(ctx)
		return err
	})
	if err != nil {
		return core.LateReport{}, err
	}
	return report, nil
}

// lateExecutions reads what is late and not told yet, the longest late first.
func (c conn) lateExecutions(ctx context.Context, limit int) ([]core.Execution, error) {
	var rows []executionRow
	err := c.list(ctx, &rows, `
		SELECT `+executionColumns+` FROM executions
		WHERE `+isWatched+` AND late_at <= ?
		ORDER BY late_at LIMIT ?`+c.dialect.skipLocked, stamp(c.now), limit)
	if err != nil {
		return nil, err
	}
	return executionsOf(rows)
}

// postLate writes the messages about late executions and forgets that they are
// late.
func (c conn) postLate(ctx context.Context, late []core.Execution) error {
	var messages []core.Message
	for _, e := range late {
		messages = append(messages, core.LateMessages(e, c.now)...)
	}
	if err := c.post(ctx, messages); err != nil {
		return err
	}
	return inBatches(idsOf(late), func(batch []string) error {
		_, err := c.exec(ctx, `UPDATE executions SET late_at = NULL WHERE id IN (?)`, batch)
		return err
	})
}

func (c conn) untilNextLate(ctx context.Context) (time.Duration, error) {
	var next timestamp
	err := c.get(ctx, &next, `SELECT MIN(late_at) FROM executions WHERE `+isWatched)
	return until(c.now, next), err
}

// pruneOutbox removes what nobody took. The oldest messages come first, so that
// it looks at no more than it may remove.
func (c conn) pruneOutbox(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := c.exec(ctx, `
		WITH oldest AS (
			SELECT seq FROM outbox
			WHERE created_at < ? AND seq IN (SELECT seq FROM outbox WHERE seq > 0 ORDER BY seq LIMIT ?)`+c.dialect.skipLocked+`)
		DELETE FROM outbox WHERE seq IN (SELECT seq FROM oldest)`, stamp(before), limit)
	return int(n), err
}
