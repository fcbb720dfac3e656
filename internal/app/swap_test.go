package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExecutionsDoNotNoticeReloads changes a plugin a hundred times, and rolls
// it back and forth each time, while executions run. Every one of them succeeds at
// its first attempt. That each is done by the version it is reported with is
// shown by hosttest.TestSwaps, for both runtimes.
func TestExecutionsDoNotNoticeReloads(t *testing.T) {
	e := withPlugins(t)
	program := filepath.Join(filepath.Dir(e["PLUGINS_CONFIG"]), "swap.wasm")
	deploy := func(version int) {
		require.NoError(t, os.WriteFile(program, answering(fmt.Sprint(version%10)), 0o600))
	}
	deploy(0)
	e.plugins(t, "plugins:\n  - {type: swap, runtime: wasm, source: swap.wasm}\n")
	s := e.start(t)
	path := "http://" + s.Addr() + "/tasks/" + s.task("swap", object{"overlap": "allow"})["id"].(string) + "/execute?wait=20s"

	var done atomic.Bool
	var ended atomic.Int64
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			for !done.Load() && !t.Failed() {
				ended.Add(1)
				if problem := succeeds(path); problem != "" {
					t.Error(problem)
				}
			}
		})
	}
	for i := range 100 {
		before := ended.Load()
		deploy(1 + i)
		s.call(200, "POST", "/plugins/reload", nil)
		now := s.call(200, "GET", "/plugins/swap", nil)
		require.Equal(t, 1+i > 0, now["previous"] != nil)
		back := s.call(200, "POST", "/plugins/swap/rollback", nil)
		require.Equal(t, now["previous"].(object)["digest"], back["digest"])
		s.call(200, "POST", "/plugins/swap/rollback", nil)
		s.eventually("executions have run meanwhile", func() bool { return ended.Load() > before })
	}
	done.Store(true)
	callers.Wait()
	require.Zero(t, s.call(200, "GET", "/plugins/swap", nil)["calls"].(object)["failed"])
}

// succeeds executes a task and says what was not as it should be.
func succeeds(path string) (problem string) {
	resp, err := client.Post(path, "application/json", bytes.NewReader(nil))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	var got struct {
		Status  string
		Attempt int
		Result  *int
		Plugin  string
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return err.Error()
	}
	if resp.StatusCode != http.StatusOK || got.Status != "succeeded" || got.Attempt != 1 || got.Result == nil || got.Plugin != "swap@0.0.0" {
		return fmt.Sprintf("%d %+v", resp.StatusCode, got)
	}
	return ""
}
