package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// outbox keeps messages in order of Seq until they are settled.
type outbox struct {
	seq  int64
	rows []posted
}

// posted is a message that waits for its time.
type posted struct {
	core.Message
	due time.Time
}

func (o *outbox) post(messages []core.Message) {
	for _, m := range messages {
		o.seq++
		m.Seq = o.seq
		o.rows = append(o.rows, posted{Message: m, due: m.Time})
	}
}

// prune forgets up to limit messages that are older than the bound.
func (o *outbox) prune(bound time.Time, limit int) int {
	n := 0
	o.rows = slices.DeleteFunc(o.rows, func(p posted) bool {
		if n >= limit || !p.Time.Before(bound) {
			return false
		}
		n++
		return true
	})
	return n
}

// Tell implements core.OutboxStore.
func (s *Store) Tell(ctx context.Context, messages []core.Message) error {
	now, err := s.begin(ctx, "tell")
	if err != nil {
		return err
	}
	defer s.end()
	messages = core.NotAfter(messages, now)
	for i := range messages {
		messages[i].Data = bytes.Clone(messages[i].Data)
	}
	s.outbox.post(messages)
	return nil
}

// Outbox implements core.OutboxStore.
func (s *Store) Outbox(ctx context.Context, kind core.MessageKind, limit int) (core.OutboxReport, error) {
	now, err := s.begin(ctx, "read outbox")
	if err != nil {
		return core.OutboxReport{}, err
	}
	defer s.end()

	report := core.OutboxReport{Wait: -1}
	for _, p := range s.outbox.rows {
		switch wait := max(0, p.due.Sub(now)); {
		case p.Kind != kind:
		case wait == 0 && len(report.Messages) < limit:
			p.Data = bytes.Clone(p.Data)
			report.Messages = append(report.Messages, p.Message)
		case report.Wait < 0 || wait < report.Wait:
			report.Wait = wait
		}
	}
	return report, nil
}

// SettleOutbox implements core.OutboxStore.
func (s *Store) SettleOutbox(ctx context.Context, done []int64, later []core.Postponed) error {
	now, err := s.begin(ctx, "settle outbox")
	if err != nil {
		return err
	}
	defer s.end()

	s.outbox.rows = slices.DeleteFunc(s.outbox.rows, func(p posted) bool { return slices.Contains(done, p.Seq) })
	for _, put := range later {
		for i := range s.outbox.rows {
			if p := &s.outbox.rows[i]; p.Seq == put.Seq {
				p.Tries++
				p.due = core.Instant(now.Add(put.After))
			}
		}
	}
	return nil
}

// RaiseLate implements core.OutboxStore.
func (s *Store) RaiseLate(ctx context.Context, limit int) (core.LateReport, error) {
	now, err := s.begin(ctx, "raise late executions")
	if err != nil {
		return core.LateReport{}, err
	}
	defer s.end()

	late, wait := s.executions.late(now, limit)
	for i := range late {
		s.outbox.post(core.LateMessages(late[i], now))
		row := cloneExecution(late[i])
		row.LateAt = nil
		s.executions.put(row)
	}
	return core.LateReport{Raised: late, Wait: wait}, nil
}

// late lists up to limit executions that are late, the longest late first, and
// how long until the next one is.
func (l *ledger) late(now time.Time, limit int) (late []core.Execution, wait time.Duration) {
	var watched []core.Execution
	for _, e := range l.live {
		if e.Watched() {
			watched = append(watched, cloneExecution(*e))
		}
	}
	slices.SortFunc(watched, func(a, b core.Execution) int { return a.LateAt.Compare(*b.LateAt) })
	n := 0
	for n < len(watched) && n < limit && !watched[n].LateAt.After(now) {
		n++
	}
	if n == len(watched) {
		return watched, -1
	}
	return watched[:n], max(0, watched[n].LateAt.Sub(now))
}
