package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// record is an execution as the database has it.
type record struct {
	id, task, kind, status, trigger, worker, delivery, code string
	nominal                                                 time.Time
	attempt                                                 int
	attempts                                                []try
	live                                                    bool
}

// try is an attempt that ended.
type try struct {
	Number    int
	Status    string
	Worker    string
	StartTime time.Time
	EndTime   time.Time
}

func (r record) String() string {
	tries := make([]string, len(r.attempts))
	for i, a := range r.attempts {
		tries[i] = a.Worker + ":" + a.Status
	}
	return fmt.Sprintf("\n%s of %s (%s, %s): %s on %q, attempt %d [%s] %s", r.id, r.task, r.trigger, r.delivery, r.status, r.worker,
		r.attempt, strings.Join(tries, " "), r.code)
}

// records returns all executions, live and ended, of some tasks or of all.
func (c *cluster) records(tasks ...string) []record {
	c.t.Helper()
	const columns = `e.id, e.task_id, e.type, e.status, e.trigger, e.worker, e.policy->>'delivery',
		coalesce(e.error_code, ''), e.nominal_time, e.attempt, e.attempts`
	rows, err := c.db.QueryContext(c.t.Context(), `
		SELECT `+columns+`, false FROM task_history e
		UNION ALL
		SELECT `+columns+`, true FROM executions e`)
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, rows.Close()) }()
	var all []record
	for rows.Next() {
		var r record
		var attempts []byte
		require.NoError(c.t, rows.Scan(&r.id, &r.task, &r.kind, &r.status, &r.trigger, &r.worker, &r.delivery, &r.code, &r.nominal, &r.attempt, &attempts, &r.live))
		require.NoError(c.t, json.Unmarshal(attempts, &r.attempts))
		if len(tasks) == 0 || slices.Contains(tasks, r.task) {
			all = append(all, r)
		}
	}
	require.NoError(c.t, rows.Err())
	slices.SortFunc(all, func(a, b record) int { return a.nominal.Compare(b.nominal) })
	return all
}

// only returns the one execution that a task has.
func (c *cluster) only(task string) record {
	c.t.Helper()
	all := c.records(task)
	require.Len(c.t, all, 1, "%v", all)
	return all[0]
}

// count asks the database for a number.
func (c *cluster) count(query string, args ...any) (n int) {
	c.t.Helper()
	require.NoError(c.t, c.db.QueryRowContext(c.t.Context(), query, args...).Scan(&n))
	return n
}

// settle waits until nothing is due and nothing lives any more, and then holds
// the database and the journal against every promise. Recurring tasks must have
// been paused.
func (c *cluster) settle(within time.Duration) {
	c.t.Helper()
	c.eventually("everything has ended", within, func() bool {
		return c.count(`SELECT (SELECT count(*) FROM executions) +
			(SELECT count(*) FROM tasks WHERE enabled AND next_run IS NOT NULL)`) == 0
	})
	c.verify()
}

// verify demands the invariants: what was acknowledged exists, every due time
// has exactly one execution, every execution has ended in one state, and its
// effects are as many as its delivery allows.
func (c *cluster) verify() {
	c.t.Helper()
	all := c.records()
	byTask, byID := map[string][]record{}, map[string]record{}
	for _, r := range all {
		before, twice := byID[r.id] // the lists are long: require.Contains would walk them each time
		require.False(c.t, twice, "in two states: %v and %v", r, before)
		require.False(c.t, r.live, "stuck: %v", r)
		byID[r.id] = r
		byTask[r.task] = append(byTask[r.task], r)
	}
	for _, id := range c.acked.executions {
		_, there := byID[id]
		require.True(c.t, there, "acknowledged execution %s is lost", id)
	}
	for _, id := range c.acked.tasks {
		require.Equal(c.t, 1, c.count(`SELECT count(*) FROM tasks WHERE id = $1`, id), "acknowledged task %s is lost", id)
		c.verifyPlan(id, byTask[id])
	}
	c.verifyEffects(byID)
}

// verifyPlan demands one execution for each due time of a task.
func (c *cluster) verifyPlan(task string, all []record) {
	c.t.Helper()
	all = slices.DeleteFunc(slices.Clone(all), func(r record) bool { return r.trigger != "schedule" })
	var kind string
	var interval time.Duration
	var ms *int64
	require.NoError(c.t, c.db.QueryRowContext(c.t.Context(), `SELECT schedule_type, (timing->>'intervalMs')::bigint FROM tasks WHERE id = $1`, task).Scan(&kind, &ms))
	if ms != nil {
		interval = time.Duration(*ms) * time.Millisecond
	}
	switch kind {
	case "once":
		require.Len(c.t, all, 1, "task %s was due once: %v", task, all)
	case "recurring":
		require.NotEmpty(c.t, all, "task %s", task)
		for i := 1; i < len(all); i++ {
			require.Equal(c.t, interval, all[i].nominal.Sub(all[i-1].nominal), "between %v and %v", all[i-1], all[i])
		}
	}
}

// verifyEffects demands as many effects of each execution as it may have.
func (c *cluster) verifyEffects(byID map[string]record) {
	c.t.Helper()
	effects := map[string][]effect{}
	for _, e := range c.outside.marks("effect", "") {
		effects[e.execution] = append(effects[e.execution], e)
		_, there := byID[e.execution]
		require.True(c.t, there, "an effect of execution %s, which does not exist", e.execution)
	}
	spare := c.acked.handedBack
	for id, r := range byID {
		n := len(effects[id])
		switch {
		case r.delivery == "at_most_once":
			require.LessOrEqual(c.t, n, 1, "%v", r)
		case n > r.attempt:
			spare -= n - r.attempt
			require.GreaterOrEqual(c.t, spare, 0, "%d effects: %v", n, r)
		}
		if r.status == "succeeded" && r.kind == "effect" {
			require.GreaterOrEqual(c.t, n, 1, "succeeded without its effect: %v", r)
		}
		c.verifyTokens(r, effects[id])
	}
}

// verifyTokens demands that a later attempt has a later token: whoever keeps the
// highest one can refuse a zombie.
func (c *cluster) verifyTokens(r record, effects []effect) {
	c.t.Helper()
	tokens := map[int]int64{}
	for _, e := range effects {
		tokens[e.Attempt] = max(tokens[e.Attempt], e.Token)
	}
	for _, e := range effects {
		for attempt, token := range tokens {
			if attempt < e.Attempt {
				require.Less(c.t, token, e.Token, "attempt %d has a later token than attempt %d: %v", attempt, e.Attempt, r)
			}
		}
	}
}
