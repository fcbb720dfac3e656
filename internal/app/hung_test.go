package app_test

import (
	"context"
	"maps"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/app"
	"github.com/nexuscore/scheduler/internal/faultproxy"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
)

// onProxy starts a service whose database is behind a proxy.
func onProxy(t *testing.T) (*service, *faultproxy.Proxy) {
	e := newEnv(t)
	maps.Copy(e, clusterEnv(t))
	e["REDIS_URL"], e["RABBITMQ_URL"] = "", ""
	address, err := url.Parse(e["DATABASE_URL"])
	require.NoError(t, err)
	proxy, err := faultproxy.Start(address.Host)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	address.Host = proxy.Addr()
	e["DATABASE_URL"] = address.String()
	return e.start(t), proxy
}

// A database that takes everything and answers nothing. The driver waits for it
// although its context has ended.
func TestADatabaseThatHangsIsUnavailable(t *testing.T) {
	t.Parallel()
	s, proxy := onProxy(t)
	s.call(200, "GET", "/tasks", nil)
	proxy.Blackhole()
	var asked sync.WaitGroup
	for _, r := range [][2]string{{"GET", "/tasks"}, {"GET", "/nodes"}, {"POST", "/schedules"}} {
		asked.Go(func() {
			var body any
			if r[0] == "POST" {
				body = object{"name": "s", "intervalMs": 1000}
			}
			e := s.call(503, r[0], r[1], body)["error"].(object) // within the client's 30 s
			if e["code"] != "UNAVAILABLE" {
				t.Errorf("%s %s: %v", r[0], r[1], e)
			}
		})
	}
	asked.Wait()
	proxy.Heal()
}

// A command was taken, and is not given up because of a fail-over, or of a database
// that hangs.
func TestACommandWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	s, proxy := onProxy(t)
	for name, harm := range map[string]func(){"away": proxy.Cut, "hangs": proxy.Blackhole} {
		harm()
		replies := make(chan rabbitmq.Reply, 1)
		go func() {
			replies <- app.Handle(s.App, t.Context(), rabbitmq.Command{Name: "cancel_task", Body: []byte(`{"id": "01920000-0000-7000-8000-000000000000"}`)})
		}()
		select {
		case r := <-replies:
			t.Fatalf("%s: answered with %s", name, r.Body)
		case <-time.After(3 * time.Second):
		}
		proxy.Heal()
		r := <-replies
		require.NoError(t, r.Retry)
		require.Contains(t, string(r.Body), `"status":404`)
	}
}

// One that waits is given back when the service stops, for another node.
func TestACommandThatWaitsIsGivenBackAtTheEnd(t *testing.T) {
	t.Parallel()
	s, proxy := onProxy(t)
	proxy.Blackhole()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	reply := app.Handle(s.App, ctx, rabbitmq.Command{Name: "cancel_task", Body: []byte(`{"id": "01920000-0000-7000-8000-000000000000"}`)})
	require.ErrorIs(t, reply.Retry, context.DeadlineExceeded)
	proxy.Heal()
}
