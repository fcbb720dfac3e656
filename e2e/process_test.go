package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The reminder, built natively, runs as a process of the real server, says what
// holds it there, and ends with a server that is killed.
func TestAReminderRunsAsAProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("process plugins need Linux")
	}
	program := filepath.Join(t.TempDir(), "reminder")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "../plugins/reminder")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	s := newService(t, "PLUGIN_UID=65432")
	s.writePlugins("plugins:\n  - {type: reminder, runtime: process, source: " + program + ", grants: {notify: true}}\n")
	s.start()
	id := s.create(reminder("hello", nil))
	e := s.call(200, "POST", "/tasks/"+id+"/execute?wait=10s", nil).body
	require.Equal(t, "succeeded", e["status"], e)
	require.Equal(t, "reminder@1.0.0", e["plugin"])

	plugin := s.call(200, "GET", "/plugins/reminder", nil).body
	require.Equal(t, "process", plugin["runtime"])
	held := plugin["confinement"].(object)
	require.Equal(t, "on", held["diesWithHost"])
	if os.Geteuid() == 0 {
		require.Equal(t, "65432", held["uid"])
	} else {
		require.Contains(t, held["uid"], "off: the server is not root")
	}

	children := childrenOf(t, s.cmd.Process.Pid)
	require.Len(t, children, 1)
	s.kill()
	require.Eventually(t, func() bool { return !exists(children[0]) }, 10*time.Second, time.Millisecond)
}

// childrenOf lists the processes that a process has started.
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	var children []string
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(stat), ") ") // state, then parent
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			children = append(children, filepath.Base(filepath.Dir(path)))
		}
	}
	return children
}

// exists tells whether a process lives, and does not only wait to be forgotten.
func exists(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
