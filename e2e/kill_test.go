package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKillLosesNothing kills the process again and again, at random moments
// under load, and then holds what is there against what was acknowledged:
//
//   - every acknowledged task exists, and every acknowledged execution too;
//   - each once task and each second of a recurring task became exactly one
//     execution, and that execution ended well;
//   - every effect in the outside world belongs to such an execution.
func TestKillLosesNothing(t *testing.T) {
	const rounds = 8
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	o := newOutside(t)
	s := newService(t, "NOTIFICATION_SERVICE_URL="+o.URL)

	persistent := object{
		"retryPolicy": object{"attempts": 100, "delay": 10, "backoff": "fixed"},
		"overlap":     "queue_all", "misfire": object{"policy": "all", "windowMs": 3_600_000},
	}
	with := func(name string, more object) object {
		task := reminder(name, persistent)
		for k, v := range more {
			task[k] = v
		}
		return task
	}
	var recurring string
	var once, manual []string
	for round := range rounds {
		s.start()
		if round == 0 {
			recurring = s.create(with("every second", object{"intervalMs": 1000}))
		}
		crash := time.After(time.Duration(300+random.IntN(1500)) * time.Millisecond)
		killed := make(chan struct{})
		go func() {
			<-crash
			_ = s.cmd.Process.Kill() // the moment is random: whatever runs is cut off
			close(killed)
		}()
		once, manual = s.load(with, round, once, manual)
		<-killed
		<-s.gone
		s.cmd = nil
	}
	s.start()
	s.call(200, "PUT", "/tasks/"+recurring, with("every second", object{"intervalMs": 1000, "enabled": false,
		"startAt": s.call(200, "GET", "/tasks/"+recurring, nil).body["startAt"]}))
	s.eventually("everything has ended", time.Minute, func() bool {
		return len(s.history("/history?status=pending,queued,running,retrying")) == 0 && s.allRan(once)
	})

	valid := map[string]bool{}
	for _, id := range once {
		all := s.history("/history/" + id)
		require.Len(t, all, 1, "once task %s", id)
		require.Equal(t, "succeeded", all[0]["status"], "%v", all[0]["error"])
		valid[all[0]["id"].(string)] = true
	}
	for _, id := range manual {
		e := s.call(200, "GET", "/executions/"+id, nil).body
		require.Equal(t, "succeeded", e["status"], "%v", e["error"])
	}
	s.requireEverySecond(recurring)
	for _, e := range s.history("/history") {
		valid[e["id"].(string)] = true
	}
	for key := range o.delivered() {
		id, _, _ := strings.Cut(key, ":")
		require.True(t, valid[id], "an effect of no known execution: %s", key)
	}
	t.Logf("%d once tasks, %d manual executions, %d effects, %d processes", len(once), len(manual), len(o.delivered()), rounds+1)
	require.NotEmpty(t, once)
	require.NotEmpty(t, manual)
}

// load creates and executes tasks until the process is gone, and returns what
// was acknowledged.
func (s *service) load(with func(string, object) object, round int, once, manual []string) (_, _ []string) {
	for i := 0; ; i++ {
		name := fmt.Sprintf("once %d.%d", round, i)
		key := []string{"Idempotency-Key", name}
		r, err := s.try("POST", "/tasks", with(name, object{"runAt": time.Now().Add(time.Duration(i%5) * 100 * time.Millisecond)}), key...)
		if err != nil {
			return once, manual
		}
		require.Equal(s.t, 201, r.status, "%v", r.body)
		once = append(once, r.body["id"].(string))
		if i%3 > 0 {
			continue
		}
		r, err = s.try("POST", "/tasks/"+r.body["id"].(string)+"/execute", nil)
		if err != nil {
			return once[:len(once)-1], manual // whether it was executed too is not known
		}
		require.Equal(s.t, 202, r.status, "%v", r.body)
		once = once[:len(once)-1] // it runs twice on purpose
		manual = append(manual, r.body["id"].(string))
	}
}

// allRan reports whether every once task has its execution already.
func (s *service) allRan(once []string) bool {
	seen := map[any]bool{}
	for _, e := range s.history("/history?trigger=schedule") {
		seen[e["taskId"]] = true
	}
	return !slices.ContainsFunc(once, func(id string) bool { return !seen[id] })
}

// requireEverySecond demands that a task ran for each second, without a gap and
// without a double.
func (s *service) requireEverySecond(id string) {
	s.t.Helper()
	var nominal []time.Time
	for _, e := range s.history("/history/" + id) {
		require.Equal(s.t, "succeeded", e["status"], "%v", e)
		at, err := time.Parse(time.RFC3339Nano, e["nominalTime"].(string))
		require.NoError(s.t, err)
		nominal = append(nominal, at)
	}
	slices.SortFunc(nominal, time.Time.Compare)
	require.Greater(s.t, len(nominal), 5)
	for i := 1; i < len(nominal); i++ {
		require.Equal(s.t, time.Second, nominal[i].Sub(nominal[i-1]), "after %s", nominal[i-1])
	}
}

// TestACreateThatWasCutOffCanBeRepeated repeats a request whose answer never
// came: with the same key it makes one task.
func TestACreateThatWasCutOffCanBeRepeated(t *testing.T) {
	s := startService(t)
	task := reminder("exactly one", nil)
	first := s.call(201, "POST", "/tasks", task, "Idempotency-Key", "k-1")
	s.kill()
	s.start()
	second := s.call(201, "POST", "/tasks", task, "Idempotency-Key", "k-1")
	require.Equal(t, first.body["id"], second.body["id"])
	require.Equal(t, "true", second.header.Get("Idempotency-Replayed"))
	other := s.call(422, "POST", "/tasks", reminder("another", nil), "Idempotency-Key", "k-1")
	require.Equal(t, "VALIDATION_FAILED", other.body["error"].(object)["code"])
	require.Len(t, s.call(200, "GET", "/tasks", nil).body["items"], 1)
}
