package plugins_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// Every type is killed at every operation of its run, before and after it, in both
// runtimes: a module dies with its node, a process alone. The next attempt ends
// the work. Under at_most_once there is none.
func TestDeaths(t *testing.T) {
	for _, runtime := range runtimes {
		for _, a := range acts() {
			t.Run(runtime+"/"+a.taskType+" "+a.name, func(t *testing.T) {
				l := &life{platforms: newPlatforms(t, runtime, a.taskType), act: a}
				if runtime == "process" {
					l.reaper.kill = func() { killChildren(t) }
				}
				l.dies(t, core.AtLeastOnce)
				if a.again { // where it matters
					l.dies(t, core.AtMostOnce)
				}
			})
		}
	}
}

// dies kills an execution at its first operation, another one at its second, and
// so on until one survives.
func (l *life) dies(t *testing.T, delivery core.DeliveryPolicy) {
	t.Helper()
	twice, killed := 0, 0
	for at := 1; ; at++ {
		for _, after := range []bool{false, true} {
			if !after && at > 1 && l.reaper.kill != nil {
				continue // for a process that is after the operation before
			}
			l.afresh()
			e, data := l.execution(delivery)
			l.reaper.arm(at, after)
			e = l.live(t, e, data)
			effects := len(l.Journal().Effects(l.act.route))
			if !l.reaper.took() {
				require.Equal(t, core.StatusSucceeded, e.Status, "%+v", e.Attempts)
				require.Equal(t, 1, begun(e))
				require.Equal(t, 1, effects)
				require.Greater(t, killed, 4, "a run reads its config, loads its checkpoint, asks and logs")
				l.requireDoubles(t, delivery, twice)
				return
			}
			killed++
			twice += max(effects-1, 0)
			if delivery == core.AtMostOnce {
				require.Contains(t, []core.Status{core.StatusLost, core.StatusFailed}, e.Status, "killed at %d, after %v", at, after)
				require.Equal(t, 1, begun(e))
				require.LessOrEqual(t, effects, 1)
				continue
			}
			require.Equal(t, core.StatusSucceeded, e.Status, "killed at %d, after %v: %+v", at, after, e.Attempts)
			require.Equal(t, 2, begun(e))
			require.Contains(t, []int{1, 2}, effects, "killed at %d, after %v", at, after)
		}
	}
}

// begun counts the attempts that were run: not those for which there was no process
// yet, because the last one had been killed.
func begun(e core.Execution) int {
	n := 0
	for _, a := range e.Attempts {
		if a.ErrorCode == nil || *a.ErrorCode != core.CodePluginUnavailable {
			n++
		}
	}
	return n
}

// requireDoubles demands that only what the platform cannot tell from a repetition
// was done twice.
func (l *life) requireDoubles(t *testing.T, delivery core.DeliveryPolicy, twice int) {
	t.Helper()
	if !l.act.again || delivery == core.AtMostOnce {
		require.Zero(t, twice)
		return
	}
	require.Positive(t, twice, "it is killed between the effect and the note, too")
}

// killChildren kills the processes that the test's own has started, which are
// plugins, and waits until they are dead.
func killChildren(t *testing.T) {
	pids := children(t)
	require.NotEmpty(t, pids)
	for _, pid := range pids {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	require.Eventually(t, func() bool { return len(children(t)) == 0 }, time.Minute, time.Millisecond)
}

// children lists the processes that live and that the test's own has started.
func children(t *testing.T) []int {
	t.Helper()
	var pids []int
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // state, parent
		if string(fields[1]) != strconv.Itoa(os.Getpid()) || string(fields[0]) == "Z" {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}
