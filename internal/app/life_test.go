package app_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/internal/app"
)

func TestALifeFromNewToStop(t *testing.T) {
	a := newEnv(t).build(t)
	require.ErrorContains(t, a.Ready(t.Context()), "starts or stops", "not ready before Start")
	require.NoError(t, a.Start(t.Context()))
	require.NoError(t, a.Start(t.Context()), "a second Start does nothing")
	require.NoError(t, a.Ready(t.Context()))
	s := &service{a, t}
	require.Equal(t, "ready", s.call(200, "GET", "/health/ready", nil)["status"])
	require.Equal(t, "ok", s.call(200, "GET", "/health", nil)["status"])
	require.Contains(t, a.Summary(), "listening on http://"+a.Addr()+";")
	require.Contains(t, a.Summary(), "plugins: none")

	addr := a.Addr()
	stop(a, time.Second)
	stop(a, time.Second) // a second Stop does nothing
	require.Error(t, a.Ready(t.Context()), "not ready after Stop")
	_, err := net.DialTimeout("tcp", addr, time.Second)
	require.Error(t, err, "it still listens")
	require.ErrorContains(t, a.Start(t.Context()), "cannot be started again")
}

func TestStopWithoutStart(t *testing.T) {
	e := newEnv(t)
	stop(e.build(t), 0)
	e.start(t) // the directory is free again
}

func TestStartAndStopAtTheSameTime(t *testing.T) {
	e := newEnv(t)
	for range 5 {
		a := e.build(t)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { _ = a.Start(context.Background()) })
			wg.Go(func() { stop(a, time.Second) })
		}
		wg.Wait()
		require.Error(t, a.Ready(t.Context()))
	}
	goleak.VerifyNone(t, append(lingering, goleak.IgnoreCurrent())...)
}

func TestADirectoryHasOneService(t *testing.T) {
	e := newEnv(t)
	first := e.start(t)
	_, err := app.New(t.Context(), e.config(t), hclog.NewNullLogger(), "test")
	require.ErrorContains(t, err, e["DATA_DIR"])
	require.NoError(t, first.Ready(t.Context()), "the first one is not disturbed")
	stop(first.App, time.Second)
	e.start(t)
}

func TestATakenPortIsExplainedAndEverythingTakenBack(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	e := newEnv(t, "PORT="+port)
	_, err = app.New(t.Context(), e.config(t), hclog.NewNullLogger(), "test")
	require.ErrorContains(t, err, "listen on 127.0.0.1:"+port+": another program uses this port; stop it or set PORT")
	goleak.VerifyNone(t, append(lingering, before)...)
	require.NoError(t, ln.Close())
	s := e.start(t) // the directory is free, and so is the port now
	require.Equal(t, "127.0.0.1:"+port, s.Addr())
}

func TestADirectoryThatCannotBeMadeIsNamed(t *testing.T) {
	e := newEnv(t)
	e["DATA_DIR"] = filepath.Join(e["PLUGINS_CONFIG"], "data")
	_, err := app.New(t.Context(), e.config(t), hclog.NewNullLogger(), "test")
	require.ErrorContains(t, err, "create DATA_DIR: ")
}

func TestABrokenPluginsFileDoesNotKeepTheServiceDown(t *testing.T) {
	e := newEnv(t)
	e.plugins(t, "plugins: {")
	s := e.start(t)
	s.call(200, "GET", "/health/ready", nil)
	require.Equal(t, "degraded", s.check("executor")["status"])
	require.Equal(t, "degraded", s.call(200, "GET", "/health", nil)["status"])

	s.call(422, "POST", "/plugins/reload", nil) // it says what is wrong
}

func TestAnAbsentPluginIsNamed(t *testing.T) {
	e := newEnv(t)
	e.plugins(t, "plugins:\n  - {type: absent, runtime: wasm, source: absent.wasm}\n")
	s := e.start(t)
	require.Equal(t, []any{"absent"}, s.check("executor")["details"].(object)["notLoaded"])
	require.Contains(t, s.Summary(), "not loaded: absent")
}

func TestRunningWorkGetsItsGraceAndIsHandedBack(t *testing.T) {
	e := withPlugins(t, "NODE_ID=first")
	s := e.start(t)
	task := s.task("spin", nil)
	id := s.execute(task)["id"].(string)
	s.eventually("it runs", func() bool { return s.call(200, "GET", "/executions/"+id, nil)["status"] == "running" })
	begin := time.Now()
	stop(s.App, 300*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), 300*time.Millisecond, "the grace period")
	require.Less(t, time.Since(begin), 5*time.Second)

	s = e.with("NODE_ID=second").start(t)
	s.eventually("the next service runs it", func() bool {
		return s.call(200, "GET", "/executions/"+id, nil)["worker"] == "second"
	})
	x := s.call(200, "GET", "/executions/"+id, nil)
	require.InDelta(t, 1, x["attempt"], 0, "no attempt is spent")
	require.Empty(t, x["attempts"])
}

func TestADrainingServiceAnswersAndIsNotReady(t *testing.T) {
	s := withPlugins(t).start(t)
	id := s.execute(s.task("spin", nil))["id"].(string)
	s.eventually("it runs", func() bool { return s.call(200, "GET", "/executions/"+id, nil)["status"] == "running" })
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop(s.App, time.Second) }()
	s.eventually("it drains", func() bool { return s.Ready(t.Context()) != nil })
	s.call(503, "GET", "/health/ready", nil)
	s.call(200, "GET", "/executions/"+id, nil)
	<-stopped
}

func TestTasksSurviveARestart(t *testing.T) {
	e := withPlugins(t)
	s := e.start(t)
	task := s.task("quick", object{"cronExpression": "@yearly"})
	stop(s.App, time.Second)
	require.Equal(t, task, e.start(t).call(200, "GET", "/tasks/"+task["id"].(string), nil))
}
