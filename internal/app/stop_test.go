package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitingRequestsAreAnsweredWhenTheServiceStops(t *testing.T) {
	s := withPlugins(t).start(t)
	task := s.task("spin", nil)
	answer := make(chan object, 1)
	go func() { answer <- s.call(202, "POST", "/tasks/"+task["id"].(string)+"/execute?wait=60s", nil) }()
	s.eventually("it runs", func() bool { return s.check("executor")["details"].(object)["running"].(float64) == 1 })
	begin := time.Now()
	stop(s.App, 200*time.Millisecond)
	require.Less(t, time.Since(begin), 3*time.Second, "nobody is waited for")
	require.Equal(t, "pending", (<-answer)["status"], "it was handed back")
}

func TestOneDeadlineForTheWholeStop(t *testing.T) {
	a := newEnv(t).build(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for _, name := range []string{"one", "two", "three"} {
		a.OnStop(name, func(context.Context) error { <-release; return nil })
	}
	a.HasForTheRest(300 * time.Millisecond)
	require.NoError(t, a.Start(t.Context()))
	begin := time.Now()
	stop(a, 0)
	require.Less(t, time.Since(begin), 1500*time.Millisecond)
}
