package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// processRows are the rows about plugins that are processes.
func processRows() []row {
	return []row{
		// The plugin's process is killed while it runs: the attempt fails with
		// PLUGIN_CRASHED, the node lives and the next one runs.
		{"18-plugin-process-killed", pluginKilled, false},
		// The plugin ignores that it is told to end: killed at its deadline, its
		// slot is free and no process is left.
		{"19-plugin-hangs", pluginHangs, false},
		// The node is killed: no process of a plugin outlives it by five seconds.
		{"20-no-plugin-outlives-its-node", noneOutlives, false},
	}
}

// process starts a node that runs the guest as a process, and a task of it.
func (c *cluster) process(order, more object) (n *node, task string) {
	c.t.Helper()
	n = c.node("MAX_CONCURRENT_TASKS=1")
	n.writePlugins("plugins:\n  - {type: guest, runtime: process, source: guest-process}\n")
	c.start(n)
	t := object{"name": "guest", "type": "guest", "scheduleType": "manual", "data": order, "retryPolicy": object{"attempts": 1}}
	for k, v := range more {
		t[k] = v
	}
	return n, c.create(n, t)
}

// children are the processes below a node.
func (n *node) children() []int { return below(n.cmd.Process.Pid) }

// below are the processes below one, all generations.
func below(parent int) []int {
	var all []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if string(fields[1]) == strconv.Itoa(parent) && string(fields[0]) != "Z" {
			all = append(append(all, pid), below(pid)...)
		}
	}
	return all
}

func alive(pids []int) int {
	n := 0
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			n++
		}
	}
	return n
}

// busy waits until the guest runs and returns its processes.
func (c *cluster) busy(n *node) []int {
	c.t.Helper()
	c.eventually("it runs", patience, func() bool {
		return c.count(`SELECT count(*) FROM executions WHERE status = 'running'`) == 1 && len(n.children()) > 0
	})
	return n.children()
}

func pluginKilled(c *cluster) {
	n, task := c.process(object{"do": "sleep", "n": 60_000}, nil)
	c.execute(n, task)
	for _, pid := range c.busy(n) {
		require.NoError(c.t, syscall.Kill(pid, syscall.SIGKILL))
	}
	c.settle(patience)
	require.Equal(c.t, "PLUGIN_CRASHED", c.only(task).code)
	c.guestRuns(n)
}

// guestRuns demands that the guest can be run again.
func (c *cluster) guestRuns(n *node) {
	c.t.Helper()
	task := c.create(n, object{"name": "next", "type": "guest", "scheduleType": "manual", "data": object{"do": "echo", "text": "x"}})
	e := n.call(200, "POST", "/tasks/"+task+"/execute?wait=30s", nil).body
	require.Equal(c.t, "succeeded", e["status"], "%v", e)
}

func pluginHangs(c *cluster) {
	n, task := c.process(object{"do": "loop"}, object{"timeoutMs": 1000})
	c.execute(n, task)
	busy := c.busy(n)
	c.settle(patience)
	require.Contains(c.t, []string{"TIMEOUT", "PLUGIN_CPU_LIMIT"}, c.only(task).code)
	c.guestRuns(n) // the only slot is free
	n.eventually("the process that hung is gone", patience, func() bool { return alive(busy) == 0 })
}

func noneOutlives(c *cluster) {
	n, task := c.process(object{"do": "sleep", "n": 60_000}, object{"delivery": "at_most_once"})
	c.execute(n, task)
	busy := c.busy(n)
	died := n.crash()
	n.eventually("its plugins are gone", 5*time.Second, func() bool { return alive(busy) == 0 })
	c.t.Logf("%d processes were gone %s after their node", len(busy), time.Since(died).Round(time.Millisecond))
	c.start(c.node())
	c.settle(patience)
	require.Equal(c.t, "lost", c.only(task).status)
}
