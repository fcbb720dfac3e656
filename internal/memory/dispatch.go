package memory

import (
	"context"
	"slices"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// Ready lists executions that may be handed to the queue now.
func (s *Store) Ready(ctx context.Context, limit int, closed func(taskType, rateKey string) bool) (core.ReadyReport, error) {
	now, err := s.begin(ctx, "list ready executions")
	if err != nil {
		return core.ReadyReport{}, err
	}
	defer s.end()

	s.executions.sort(now)
	report := core.ReadyReport{Observed: now, Wait: s.executions.wait(now)}
	chosen := newSelection(s.executions, s.typeLimit)
	for e := range s.executions.ready.all() {
		if !chosen.admits(e) || closed != nil && closed(e.Type, e.RateKey()) {
			continue
		}
		if len(report.Executions) >= limit {
			report.Wait = 0
			break
		}
		chosen.add(e)
		report.Executions = append(report.Executions, core.ReadyOf(cloneExecution(*e)))
	}
	return report, nil
}

// wait tells how long it takes until a further execution is due; negative when
// none waits for its time.
func (l *ledger) wait(now time.Time) time.Duration {
	_, next, ok := l.later.first()
	if !ok {
		return -1
	}
	return next.DueAt.Sub(now)
}

// selection is what one look at the waiting executions has chosen so far.
type selection struct {
	ledger *ledger
	limit  func(taskType string) int
	types  map[string]int
	tasks  map[string]bool
	keys   map[string]int
}

func newSelection(l *ledger, limit func(taskType string) int) *selection {
	return &selection{ledger: l, limit: limit, types: map[string]int{}, tasks: map[string]bool{}, keys: map[string]int{}}
}

// admits reports whether e has a chance to be claimed beside what runs, what is
// queued and what was chosen.
func (s *selection) admits(e *core.Execution) bool {
	task := s.ledger.dossier(e.TaskID).load
	if e.Policy.Overlap.Exclusive() && (task.queued+task.running > 0 || s.tasks[e.TaskID]) {
		return false
	}
	ofType := s.ledger.byType[e.Type]
	if core.TypeFull(s.limit(e.Type), ofType.queued+ofType.running+s.types[e.Type]) {
		return false
	}
	key := e.Policy.ConcurrencyKey
	occupied := s.ledger.byKey[key]
	return key == "" || occupied.queued+occupied.running+s.keys[key] < slots(e)
}

func (s *selection) add(e *core.Execution) {
	s.tasks[e.TaskID] = true
	s.types[e.Type]++
	s.keys[e.Policy.ConcurrencyKey]++
}

// open reports whether the gates of e are open: nothing of its exclusive task
// runs, and its concurrency key and its type have a free slot.
func (l *ledger) open(e *core.Execution, limit func(taskType string) int) bool {
	if core.TypeFull(limit(e.Type), l.byType[e.Type].running) {
		return false
	}
	if e.Policy.Overlap.Exclusive() && l.dossier(e.TaskID).load.running > 0 {
		return false
	}
	key := e.Policy.ConcurrencyKey
	return key == "" || l.byKey[key].running < slots(e)
}

// slots is how many executions may share e's concurrency key.
func slots(e *core.Execution) int { return max(1, e.Policy.MaxConcurrency) }

// MarkQueued marks executions as queued, or puts them off. It returns the ids
// of both; those that wait no more are left out.
func (s *Store) MarkQueued(ctx context.Context, marks []core.QueueMark) ([]string, error) {
	now, err := s.begin(ctx, "mark executions queued")
	if err != nil {
		return nil, err
	}
	defer s.end()

	marked := make([]string, 0, len(marks))
	for _, m := range marks {
		row, ok := s.executions.live[m.ID]
		if !ok || row.Status != core.StatusPending && row.Status != core.StatusRetrying {
			continue
		}
		e := cloneExecution(*row)
		if m.DeferTo.IsZero() {
			e.Status = core.StatusQueued
			s.queuedAt[e.ID] = now
		} else {
			e.DueAt = core.Instant(m.DeferTo)
		}
		s.executions.put(e)
		marked = append(marked, m.ID)
	}
	return marked, nil
}

// Unqueue makes executions pending again that the queue did not take.
func (s *Store) Unqueue(ctx context.Context, ids []string) error {
	if _, err := s.begin(ctx, "unqueue executions"); err != nil {
		return err
	}
	defer s.end()

	for _, id := range ids {
		s.unqueue(id)
	}
	return nil
}

// UnqueueStale makes executions of some types, or of all, pending again that were
// marked longer than age ago, or later than can be.
func (s *Store) UnqueueStale(ctx context.Context, types []string, age time.Duration, limit int) (int, error) {
	now, err := s.begin(ctx, "unqueue stale executions")
	if err != nil {
		return 0, err
	}
	defer s.end()

	n := 0
	for id, at := range s.queuedAt {
		e, live := s.executions.live[id]
		switch {
		case !live || e.Status != core.StatusQueued:
			delete(s.queuedAt, id) // a worker took it since
		case len(types) > 0 && !slices.Contains(types, e.Type):
		case n < limit && (at.Before(now.Add(-age)) || at.After(now.Add(core.MarkedAhead))):
			s.unqueue(id)
			n++
		}
	}
	return n, nil
}

func (s *Store) unqueue(id string) {
	row, ok := s.executions.live[id]
	if !ok || row.Status != core.StatusQueued {
		return
	}
	e := cloneExecution(*row)
	e.Status = core.StatusPending
	s.executions.put(e)
	delete(s.queuedAt, id)
}

// LimitTypes sets how many executions of a type may be queued or run at once.
func (s *Store) LimitTypes(limit func(taskType string) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.typeLimit = limit
}

// Occupancy counts who is queued or runs with a key and of a type.
func (s *Store) Occupancy(ctx context.Context, key, taskType string) (core.Occupancy, error) {
	if _, err := s.begin(ctx, "count slots"); err != nil {
		return core.Occupancy{}, err
	}
	defer s.end()

	byKey, byType := s.executions.byKey[key], s.executions.byType[taskType]
	o := core.Occupancy{
		Key: byKey.queued + byKey.running, Type: byType.queued + byType.running, TypeLimit: s.typeLimit(taskType),
	}
	for _, e := range s.executions.live {
		if e.Status != core.StatusQueued && e.Status != core.StatusRunning {
			continue
		}
		if key != "" && e.Policy.ConcurrencyKey == key {
			o.KeyHolders = append(o.KeyHolders, e.ID)
		}
		if e.Type == taskType {
			o.TypeHolders = append(o.TypeHolders, e.ID)
		}
	}
	o.KeyHolders, o.TypeHolders = oldest(o.KeyHolders), oldest(o.TypeHolders)
	return o, nil
}

// Live looks at the executions of a task that have not ended.
func (s *Store) Live(ctx context.Context, taskID string, limit int) (core.LiveReport, error) {
	if _, err := s.begin(ctx, "look at live executions"); err != nil {
		return core.LiveReport{}, err
	}
	defer s.end()

	report := core.LiveReport{Active: s.executions.active(taskID)}
	d, ok := s.executions.byTask[taskID]
	if !ok {
		return report, nil
	}
	for _, id := range d.live.sorted {
		e := s.executions.live[id]
		if report.Holder == nil && (e.Status == core.StatusQueued || e.Status == core.StatusRunning) {
			holder := cloneExecution(*e)
			report.Holder = &holder
		}
		if len(report.Oldest) < limit {
			report.Oldest = append(report.Oldest, cloneExecution(*e))
		}
	}
	return report, nil
}

// oldest returns the first few of ids in the order of their creation.
func oldest(ids []string) []string {
	slices.Sort(ids)
	return ids[:min(len(ids), core.MaxHolders)]
}
