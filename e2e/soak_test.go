package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSoak breaks three nodes under load at random moments, for SOAK (a
// duration; 20 s by default), and then demands every promise: nothing is lost,
// nothing planned twice, nothing stuck. SOAK_SEED repeats the faults of a run.
func TestSoak(t *testing.T) {
	serviceURL(t, "TEST_DATABASE_URL")
	length := 20 * time.Second
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	seed := rand.Uint64()
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SOAK_SEED=%d SOAK=%s", seed, length)
	s := newSoak(t, seed)
	s.run(length)
	s.calm()
	s.judge()
}

// soak is a cluster under load, and the faults that are under way.
type soak struct {
	*cluster
	random    *rand.Rand
	repairs   []repair
	hurt      map[*node]bool // has a fault now, and gets no other one
	silent    map[*node]bool // has one now that it cannot answer with
	recurring []string       // tasks that must be paused in the end
	once      []string       // executed by hand once
	faults    map[string]int
	asked     map[string]int
	next      int // number of the next request, for names and keys
}

// repair ends a fault at its time.
type repair struct {
	node *node
	at   time.Time
	do   func()
}

func newSoak(t *testing.T, seed uint64) *soak {
	s := &soak{
		cluster: newCluster(t), random: rand.New(rand.NewPCG(seed, 0)),
		hurt: map[*node]bool{}, silent: map[*node]bool{}, faults: map[string]int{}, asked: map[string]int{},
	}
	s.three()
	for i := range 8 {
		more := object{"delivery": []string{"at_least_once", "at_most_once"}[i%2], "retryPolicy": object{"attempts": 20, "delay": 100, "backoff": "fixed"}}
		s.recurring = append(s.recurring, s.create(s.nodes[i%3], every(object{"afterMs": 50 * i}, more)))
	}
	minutely := once(0, nil, object{"scheduleType": "cron", "cronExpression": "* * * * *", "overlap": "allow"})
	delete(minutely, "runAt")
	s.recurring = append(s.recurring, s.create(s.nodes[0], minutely))
	return s
}

// run asks for something about 25 times a second and breaks something every few
// seconds.
func (s *soak) run(length time.Duration) {
	end := time.Now().Add(length)
	nextFault := time.Now().Add(2 * time.Second)
	for time.Now().Before(end) {
		s.mend(time.Now())
		if time.Now().After(nextFault) {
			s.breakSomething()
			nextFault = time.Now().Add(time.Duration(1500+s.random.IntN(2500)) * time.Millisecond)
		}
		s.ask()
		wait(s.t.Context(), 30*time.Millisecond)
	}
}

// mend ends the faults whose time is over.
func (s *soak) mend(now time.Time) {
	s.repairs = slices.DeleteFunc(s.repairs, func(r repair) bool {
		if r.at.After(now) {
			return false
		}
		r.do()
		delete(s.hurt, r.node)
		delete(s.silent, r.node)
		return true
	})
}

// without returns the nodes that are not in a set.
func (s *soak) without(set map[*node]bool) []*node {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(n *node) bool { return set[n] })
}

// breakSomething begins a fault on a node; at least one node stays well.
func (s *soak) breakSomething() {
	whole := s.without(s.hurt)
	if len(whole) < 2 {
		return
	}
	n := whole[s.random.IntN(len(whole))]
	seconds := func(least, most int) time.Duration {
		return time.Duration(least*1000+s.random.IntN((most-least)*1000)) * time.Millisecond
	}
	kind := []string{"kill", "kill", "kill", "freeze", "cut postgres", "cut redis", "cut rabbitmq", "drop", "flush", "end sessions", "restart"}[s.random.IntN(11)]
	s.faults[kind]++
	begin := func(after time.Duration, do func()) {
		s.hurt[n], s.silent[n] = true, true
		s.repairs = append(s.repairs, repair{n, time.Now().Add(after), do})
	}
	switch kind {
	case "kill": // at any moment of the next requests
		process := n.cmd.Process
		time.AfterFunc(time.Duration(s.random.IntN(200))*time.Millisecond, func() { _ = process.Kill() })
		begin(seconds(1, 5), func() { n.kill(); n.start() })
		delete(s.silent, n) // requests go on until it is gone, and meet nobody then
	case "restart":
		n.sigterm()
		begin(seconds(2, 4), func() { _ = n.hasEnded(time.Now(), patience); n.start() })
	case "freeze":
		require.NoError(s.t, n.cmd.Process.Signal(syscall.SIGSTOP))
		s.acked.handedBack += 10
		begin(seconds(1, 16), n.resume)
	case "cut postgres":
		n.postgres.Cut()
		s.acked.handedBack += 10
		begin(seconds(1, 14), n.postgres.Heal)
	case "cut redis":
		n.redis.Cut()
		begin(seconds(1, 6), n.redis.Heal)
	case "cut rabbitmq":
		n.rabbitmq.Cut()
		begin(seconds(1, 6), n.rabbitmq.Heal)
	case "drop":
		n.postgres.Drop()
		n.redis.Drop()
		n.rabbitmq.Drop()
	case "flush":
		s.flush()
	case "end sessions":
		s.endSessions()
	}
}

// request repeats a request with its key, on any node that is well, until it is
// carried out, and returns the answer.
func (s *soak) request(status int, path string, body any) response {
	s.t.Helper()
	s.next++
	key := fmt.Sprintf("soak-%d", s.next)
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		s.mend(time.Now())
		whole := s.without(s.silent)
		if len(whole) == 0 {
			wait(s.t.Context(), 50*time.Millisecond)
			continue
		}
		r, err := whole[s.random.IntN(len(whole))].try("POST", path, body, "Idempotency-Key", key)
		if err == nil && r.status == status {
			return r
		}
		last = fmt.Sprint(err, r.status, r.body)
		if err == nil && r.status < http.StatusInternalServerError {
			break
		}
		wait(s.t.Context(), 20*time.Millisecond)
	}
	s.t.Fatalf("POST %s: %s", path, last)
	return response{}
}

// ask asks for one thing out of the mix.
func (s *soak) ask() {
	delivery := object{"delivery": []string{"at_least_once", "at_most_once"}[s.random.IntN(2)]}
	soon := time.Duration(s.random.IntN(2000)) * time.Millisecond
	kind := []string{"once", "once", "retried", "manual", "manual", "cancelled", "dependency", "backfill"}[s.random.IntN(8)]
	s.asked[kind]++
	switch kind {
	case "once":
		s.newTask(once(soon, object{"afterMs": s.random.IntN(300)}, delivery))
	case "retried":
		s.newTask(once(soon, object{"failures": 1 + s.random.IntN(2)}, nil))
	case "manual":
		task := s.newTask(manual(object{"afterMs": s.random.IntN(300)}, delivery))
		s.executeTask(task)
		s.once = append(s.once, task)
	case "cancelled":
		task := s.newTask(manual(object{"beforeMs": 2000}, nil))
		id := s.executeTask(task)
		s.requestAny("/executions/" + id + "/cancel")
	case "dependency":
		parent := s.newTask(manual(nil, nil))
		s.newTask(object{"name": "child", "type": "effect", "scheduleType": "dependency", "dependsOn": []string{parent}})
		s.executeTask(parent)
	case "backfill":
		now := time.Now()
		r := s.request(http.StatusAccepted, "/tasks/"+s.recurring[len(s.recurring)-1]+"/backfill",
			object{"from": now.Add(-time.Hour), "to": now.Add(-50 * time.Minute), "overlap": "allow", "perMinute": 6000})
		if r.header.Get("Idempotency-Replayed") == "" {
			for _, o := range r.body["occurrences"].([]any) {
				if id, ok := o.(object)["executionId"].(string); ok {
					s.promised("", id)
				}
			}
		}
	}
}

func (s *soak) newTask(task object) string {
	id := s.request(http.StatusCreated, "/tasks", task).body["id"].(string)
	s.promised(id, "")
	return id
}

func (s *soak) executeTask(task string) string {
	id := s.request(http.StatusAccepted, "/tasks/"+task+"/execute", nil).body["id"].(string)
	s.promised("", id)
	return id
}

// requestAny cancels something, which may be too late.
func (s *soak) requestAny(path string) {
	for range 5 {
		whole := s.without(s.silent)
		if len(whole) == 0 {
			return
		}
		r, err := whole[s.random.IntN(len(whole))].try("POST", path, nil)
		if err == nil && r.status < http.StatusInternalServerError {
			return
		}
	}
}

// calm ends all faults and stops what recurs.
func (s *soak) calm() {
	s.mend(time.Now().Add(time.Hour))
	for _, n := range s.nodes {
		n.eventually("node "+n.id+" is ready", patience, func() bool {
			r, err := n.try("GET", "/health/ready", nil)
			return err == nil && r.status == http.StatusOK
		})
	}
	for _, id := range s.recurring {
		s.request(http.StatusOK, "/tasks/"+id+"/pause", object{"reason": "the test ends"})
	}
}

// judge waits for the rest and demands the promises.
func (s *soak) judge() {
	begin := time.Now()
	s.settle(3 * patience)
	settled := time.Since(begin)
	all := s.records()
	ends, executions, attempts, lost := map[string]int{}, map[string]int{}, 0, 0
	for _, r := range all {
		ends[r.status]++
		executions[r.task]++
		attempts += len(r.attempts)
		for _, a := range r.attempts {
			if a.Status == "lost" {
				lost++
			}
		}
		switch r.status {
		case "succeeded", "cancelled":
		case "lost", "failed":
			require.Equal(s.t, "at_most_once", r.delivery, "%v", r)
		default:
			s.t.Errorf("ended badly: %v", r)
		}
	}
	for _, id := range s.once {
		require.Equal(s.t, 1, executions[id], "task %s was executed by hand once", id)
	}
	s.t.Logf("asked for: %v", s.asked)
	s.t.Logf("faults: %v", s.faults)
	s.t.Logf("%d executions %v, %d attempts of which %d were lost, %d effects; the rest ended %s after the last fault",
		len(all), ends, attempts, lost, len(s.outside.marks("effect", "")), settled.Round(time.Millisecond))
}
