package simulation

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// controls are the defects that the simulation must catch. One that it misses
// would mean that the invariant proves nothing.
var controls = []struct {
	name    string
	variant variant
	caught  []string // by one of these
}{
	{"no fencing", storeOf(unfenced), []string{"old token"}},
	{"plan and advance in two steps", storeOf(twoSteps), []string{"planned twice", "was to come", "left behind"}},
	{"the limit is a counter that leaks", storeOf(leaking), []string{"is stuck"}},
	{"the limits do not reach the store", storeOf(unguarded), []string{"executions run"}},
	{"what the queue loses is not offered again", storeOf(forgetful), []string{"is stuck"}},
	{"at_most_once is tried again", storeOf(persistent), []string{"at_most_once"}},
	{"an update arms from now", storeOf(rearming), []string{"forgot what was due", "moved its place"}},
	{"an end is settled before it is told", storeOf(hasty), []string{"that it was told is false", "nobody was told"}},
	{"accepted and then lost", storeOf(volatile), []string{"is not there", "one key made two"}},
}

func TestControlsAreCaught(t *testing.T) {
	const seeds = 12 // the first or second catches it nearly always
	for _, c := range controls {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				violation, _ := inBubble(t, seed+1, c.variant)
				if what, _, _ := strings.Cut(violation, "\n"); what != "" {
					t.Logf("caught with seed %d: %s", seed+1, what)
					requireOneOf(t, what, c.caught)
					return
				}
			}
			t.Fatalf("not caught with %d seeds", seeds)
		})
	}
}

func requireOneOf(t *testing.T, what string, wanted []string) {
	t.Helper()
	for _, w := range wanted {
		if strings.Contains(what, w) {
			return
		}
	}
	require.Fail(t, "caught, but as something else", "%s\nwanted: %q", what, wanted)
}

func storeOf(broken func(*world, core.Store) core.Store) variant { return variant{store: broken} }

// noFencing lets anybody finish an execution.
type noFencing struct{ core.Store }

func unfenced(_ *world, s core.Store) core.Store { return noFencing{s} }

func (s noFencing) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	for i := range done {
		if e, err := s.Execution(ctx, done[i].ExecutionID); err == nil {
			done[i].Token = e.Token
		}
	}
	return s.Store.Finish(ctx, done)
}

// apart inserts the executions in one step and moves the task on in another; the
// node may die between the two.
type apart struct {
	core.Store
	dice *dice
}

func twoSteps(w *world, s core.Store) core.Store { return apart{s, w.source.of("between two steps")} }

func (s apart) PlanDue(ctx context.Context, limit int, decide func(time.Time, core.DueTask) core.Plan) (core.PlanReport, error) {
	plans := map[string]core.Plan{}
	report, err := s.Store.PlanDue(ctx, limit, func(now time.Time, d core.DueTask) core.Plan {
		p := decide(now, d)
		plans[d.Task.ID] = p
		p.NextRun, p.State = d.Task.NextRun, d.Task.Plan
		return p
	})
	if err != nil || s.dice.chance(0.02) {
		return report, err
	}
	second, err := s.Store.PlanDue(ctx, limit, func(_ time.Time, d core.DueTask) core.Plan {
		p, ok := plans[d.Task.ID]
		return core.Plan{NextRun: p.NextRun, State: p.State, Later: !ok || p.Later}
	})
	report.Wait = second.Wait
	return report, err
}

// counter keeps the limits of the types as numbers that grow with each claim and
// shrink with each end that a worker reports.
type counter struct {
	core.Store
	mu     sync.Mutex
	counts map[string]int
}

func leaking(_ *world, s core.Store) core.Store { return &counter{Store: s, counts: map[string]int{}} }

// LimitTypes keeps the limits from the store: the counter is all there is.
func (*counter) LimitTypes(func(string) int) {}

func (s *counter) Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]core.Execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var claimed []core.Execution
	for _, id := range ids {
		e, err := s.Execution(ctx, id)
		if limit := typeLimits[e.Type]; err != nil || limit > 0 && s.counts[e.Type] >= limit {
			continue
		}
		got, err := s.Store.Claim(ctx, []string{id}, owner, ttl)
		if err != nil {
			return claimed, err
		}
		s.counts[e.Type] += len(got)
		claimed = append(claimed, got...)
	}
	return claimed, nil
}

func (s *counter) Finish(ctx context.Context, done []core.Completion) ([]core.Finished, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	finished, err := s.Store.Finish(ctx, done)
	for _, f := range finished {
		if f.Applied {
			s.counts[f.Execution.Type]--
		}
	}
	return finished, err
}

// boundless never learns of the limits of the types.
type boundless struct{ core.Store }

func unguarded(_ *world, s core.Store) core.Store { return boundless{s} }

func (boundless) LimitTypes(func(string) int) {}

// forgetting leaves what the queue has lost marked as queued.
type forgetting struct{ core.Store }

func forgetful(_ *world, s core.Store) core.Store { return forgetting{s} }

func (forgetting) UnqueueStale(context.Context, []string, time.Duration, int) (int, error) {
	return 0, nil
}

// insisting tries every execution again whose worker has vanished.
type insisting struct{ core.Store }

func persistent(_ *world, s core.Store) core.Store { return insisting{s} }

func (s insisting) Reap(ctx context.Context, limit int, settle func(time.Time, *core.Execution)) ([]core.Execution, error) {
	return s.Store.Reap(ctx, limit, func(now time.Time, e *core.Execution) {
		delivery := e.Policy.Delivery
		e.Policy.Delivery = core.AtLeastOnce
		settle(now, e)
		e.Policy.Delivery = delivery
	})
}

// rearmed makes every change of a task arm it anew, as if it had just been made.
type rearmed struct {
	core.Store
	w *world
}

func rearming(w *world, s core.Store) core.Store { return rearmed{s, w} }

func (s rearmed) UpdateTask(ctx context.Context, id string, version int64, change func(time.Time, core.Task) (core.Task, error)) (core.Task, error) {
	return s.Store.UpdateTask(ctx, id, version, func(now time.Time, t core.Task) (core.Task, error) {
		next, err := change(now, t)
		if err != nil || !next.Timed() || !next.Enabled || next.Plan.NextNominal == nil {
			return next, err
		}
		next.NextRun, next.Plan.NextNominal = nil, nil
		return s.w.timetable.Arm(next, nil, now)
	})
}

// vanishing answers some creations and forgets them.
type vanishing struct {
	core.Store
	dice *dice
}

func volatile(w *world, s core.Store) core.Store { return vanishing{s, w.source.of("volatile")} }

func (s vanishing) CreateExecution(ctx context.Context, e core.Execution, key *core.Idempotency) (core.Execution, []string, error) {
	if s.dice.chance(0.05) {
		return e, nil, nil
	}
	return s.Store.CreateExecution(ctx, e, key)
}

// forgetsMessages removes messages when they are read, and not when they are delivered.
type forgetsMessages struct{ core.Store }

func hasty(_ *world, s core.Store) core.Store { return forgetsMessages{s} }

func (s forgetsMessages) Outbox(ctx context.Context, kind core.MessageKind, limit int) (core.OutboxReport, error) {
	report, err := s.Store.Outbox(ctx, kind, limit)
	for _, m := range report.Messages {
		_ = s.SettleOutbox(ctx, []int64{m.Seq}, nil)
	}
	return report, err
}
