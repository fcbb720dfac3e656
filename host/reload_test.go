package host_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestReloadSwitchesToTheNewFile(t *testing.T) {
	h := loaded(t, answer(nil, errors.New("old")))
	h.runtime.program("better")
	h.file(t, "good", "better")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, 2, h.status(t, "x").Generation)
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Equal(t, `"better"`, string(out.Result))
	require.Equal(t, "better@1.0.0", out.Plugin)

	h.file(t, "plugins.yaml", "plugins: []")
	require.NoError(t, h.Reload(t.Context()))
	require.Empty(t, h.Plugins())
}

func TestReloadOfABrokenFileChangesNothing(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *house){
		"syntax":         func(t *testing.T, h *house) { h.file(t, "plugins.yaml", "plugins: [") },
		"missing":        func(t *testing.T, h *house) { require.NoError(t, os.Remove(filepath.Join(h.dir, "plugins.yaml"))) },
		"wrong entry":    func(t *testing.T, h *house) { h.list(t, "limits: {memory: lots}") },
		"broken program": func(t *testing.T, h *house) { h.file(t, "good", "bad") },
		"new and broken": func(t *testing.T, h *house) { h.list(t, "", "# more"); addBroken(t, h) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.runtime.program("good")
			h.list(t)
			h.load(t)
			before := h.Plugins()
			change(t, h)
			err := h.Reload(t.Context())
			require.Error(t, err)
			last := h.LastReload()
			require.NotEmpty(t, last.Error)
			require.Contains(t, err.Error(), last.Error)
			after := h.Plugins()
			for i := range after { // that it could not be done is told, nothing else is new
				require.Equal(t, name == "wrong entry" || name == "broken program", after[i].Problem != "", after[i].Type)
				require.Contains(t, last.Error, after[i].Problem)
				after[i].Problem = ""
			}
			require.Equal(t, before, after)
			require.Equal(t, 1, h.runtime.opened(), "what was loaded for nothing is released")
			_, err = h.invoke(t, "x")
			require.NoError(t, err)

			h.list(t)
			require.NoError(t, h.Reload(t.Context()))
			require.Empty(t, h.LastReload().Error)
			require.Empty(t, h.status(t, "x").Problem)
		})
	}
}

func addBroken(t *testing.T, h *house) {
	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: good}\n  - {type: new, runtime: fake, source: nowhere}\n")
}

// What failed before does not stand in the way of the rest.
func TestReloadKeepsAFailedTypeFailed(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	addBroken(t, h)
	h.load(t)
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, core.PluginFailed, h.status(t, "new").State)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State)
}

func TestReplacedGenerationFinishesItsRuns(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	h := loaded(t, func(context.Context, []byte, host.Caller) ([]byte, error) {
		started <- struct{}{}
		<-finish
		return wire.Encode(wire.Response{}, []byte(`"old"`))
	})
	result := make(chan string)
	go func() {
		out, err := h.Invoke(context.Background(), core.Invocation{Type: "x"})
		result <- string(out.Result) + core.FailureOf(err).Message
	}()
	<-started
	h.runtime.program("better")
	h.file(t, "good", "better")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, 2, h.runtime.opened(), "the old plugin is still needed")
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Equal(t, `"better"`, string(out.Result))

	close(finish)
	require.Contains(t, <-result, `"old"`)
}

func TestCloseCancelsWhatDoesNotFinish(t *testing.T) {
	started := make(chan struct{}, 1)
	h := loaded(t, untilEnd(started))
	result := make(chan error)
	go func() {
		_, err := h.Invoke(context.Background(), core.Invocation{Type: "x"})
		result <- err
	}()
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.NoError(t, h.Close(ctx))
	f := core.FailureOf(<-result)
	require.Equal(t, core.CodePluginUnavailable, f.Code)
	require.Equal(t, core.ClassRetryable, f.Class)

	_, err := h.invoke(t, "x")
	require.Equal(t, core.CodePluginUnavailable, failureCode(err))
	require.Equal(t, core.CodePluginUnavailable, core.CodeOf(h.ValidateData("x", nil)))
	require.Error(t, h.Load(t.Context()))
	require.Error(t, h.Reload(t.Context()))
	require.Empty(t, h.Plugins())
}

func TestCloseCancelsWhatAReplacedGenerationRuns(t *testing.T) {
	started := make(chan struct{}, 1)
	h := loaded(t, untilEnd(started))
	result := make(chan error)
	go func() {
		_, err := h.Invoke(context.Background(), core.Invocation{Type: "x"})
		result <- err
	}()
	<-started
	require.NoError(t, h.Reload(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	go func() { _ = h.Close(ctx) }()
	require.Equal(t, core.CodePluginUnavailable, failureCode(<-result))
}

// Every run meets a plugin that is loaded, however often it is replaced.
func TestReloadUnderLoad(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	h.load(t)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		callers.Go(func() {
			for ctx.Err() == nil && errs[i] == nil {
				_, errs[i] = h.Invoke(context.Background(), core.Invocation{Type: "x"})
			}
		})
	}
	for range 100 {
		require.NoError(t, h.Reload(t.Context()))
	}
	stop()
	callers.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 101, h.status(t, "x").Generation)
	require.Eventually(t, func() bool { return h.runtime.opened() == 1 }, 10*time.Second, time.Millisecond)
}
