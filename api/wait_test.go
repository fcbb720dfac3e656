package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// waiting sends a request that waits and returns when it does.
func (f *fixture) waiting(task string) chan response {
	f.t.Helper()
	answer := make(chan response, 1)
	go func() { answer <- f.do("POST", "/tasks/"+task+"/execute?wait=5m", nil) }()
	require.Eventually(f.t, func() bool {
		return len(f.want(200, "GET", "/history/"+task, nil).body["items"].([]any)) == 1
	}, 10*time.Second, time.Millisecond)
	return answer
}

func TestWaitsEndWhenTheServiceStops(t *testing.T) {
	f := newFixture(t)
	answer := f.waiting(f.task(nil))
	begin := time.Now()
	f.server.Hurry()
	r := <-answer
	require.Less(t, time.Since(begin), 2*time.Second)
	require.Equal(t, 202, r.status)
	require.Equal(t, "pending", r.body["status"])

	later := f.want(202, "POST", "/tasks/"+f.task(nil)+"/execute?wait=5m", nil)
	require.Equal(t, "pending", later.body["status"], "nobody waits any more")
}

func TestTheWaitingRequestsAreBounded(t *testing.T) {
	f := fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, MaxWaits: 1})
	first, second := f.task(nil), f.task(nil)
	answer := f.waiting(first)
	r := f.do("POST", "/tasks/"+second+"/execute?wait=1ms", nil)
	f.fails(429, core.CodeRateLimited, nil, r)
	require.NotEmpty(t, r.header.Get("Retry-After"))
	require.Empty(t, f.want(200, "GET", "/history/"+second, nil).body["items"], "a refused request has no effect")
	f.want(202, "POST", "/tasks/"+second+"/execute", nil)

	f.want(200, "POST", "/tasks/"+first+"/cancel", nil)
	<-answer
	f.want(202, "POST", "/tasks/"+f.task(nil)+"/execute?wait=1ms", nil)
}

// reloader is a PluginHost that can only reload.
type reloader func(ctx context.Context) error

func (r reloader) Reload(ctx context.Context) error { return r(ctx) }
func (reloader) LastReload() *core.PluginReload     { return nil }
func (reloader) Rollback(string) error {
	return core.Errorf(core.CodeConflict, "nothing to roll back to")
}
func (reloader) Release(string) error { return nil }

func reloading(t *testing.T, reload reloader) *fixture {
	return fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, Plugins: reload})
}

func TestAReloadHasMoreTimeThanOtherRequests(t *testing.T) {
	f := reloading(t, func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.Greater(t, time.Until(deadline), 4*time.Minute)
		return nil
	})
	f.want(200, "POST", "/plugins/reload", nil)
}

func TestAReloadEndsWhenTheServiceStops(t *testing.T) {
	begun := make(chan struct{})
	f := reloading(t, func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		return errors.Join(errors.New("nothing was changed"), ctx.Err())
	})
	go func() { <-begun; f.server.Hurry() }()
	r := f.do("POST", "/plugins/reload", nil)
	f.fails(503, core.CodeUnavailable, nil, r)
	require.NotEmpty(t, r.header.Get("Retry-After"))
}

func TestWhatIsWrongWithPluginsIsTold(t *testing.T) {
	f := reloading(t, func(context.Context) error { return errors.New("line 3: no type") })
	r := f.do("POST", "/plugins/reload", nil)
	f.fails(422, core.CodeValidationFailed, nil, r)
	require.Contains(t, r.body["error"].(object)["message"], "line 3: no type")
}
