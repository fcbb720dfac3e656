//go:build linux

package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/process"
)

// clock is a core.Clock that is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bell is a caller that tells of the first operation.
type bell struct {
	caller
	once sync.Once
	rung chan struct{}
}

func newBell() *bell { return &bell{rung: make(chan struct{})} }

func (b *bell) Call(ctx context.Context, op string, in []byte) ([]byte, error) {
	b.once.Do(func() { close(b.rung) })
	return b.caller.Call(ctx, op, in)
}

// openDir is a short directory that every user can pass.
func openDir(t testing.TB) string {
	dir := shortDir(t)
	require.NoError(t, os.Chmod(dir, 0o711))
	return dir
}

// One process serves all runs, also at the same time.
func TestRunsShareAProcess(t *testing.T) {
	p := hostile(t)
	pid := result(t, p, order{Do: "pid"})
	var all sync.WaitGroup
	held := make([]error, 7)
	for i := range held {
		all.Go(func() { _, held[i] = do(t.Context(), p, &caller{}, order{Do: "hold"}) })
	}
	require.Equal(t, pid, result(t, p, order{Do: "pid"}))
	result(t, p, order{Do: "release"}) // could not run if those that hold were alone
	all.Wait()
	for _, err := range held {
		require.NoError(t, err)
	}
	require.Equal(t, pid, result(t, p, order{Do: "pid"}))
}

// A run that has to be killed takes the runs beside it with it, and they say so.
func TestNeighboursOfAKilledRun(t *testing.T) {
	p := hostile(t)
	innocent := make(chan error, 1)
	c := &caller{}
	go func() {
		_, err := do(t.Context(), p, c, order{Do: "hold"})
		innocent <- err
	}()
	require.Eventually(t, func() bool { // the output of one run reaches those that are in the process
		result(t, p, order{Do: "flood", N: 1})
		return c.text() != ""
	}, 10*time.Second, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := time.AfterFunc(20*time.Millisecond, cancel)
	defer cancelled.Stop()
	_, err := do(ctx, p, &caller{}, order{Do: "stubborn"})
	require.ErrorIs(t, err, context.Canceled)
	err = <-innocent
	f := failureOf(t, err)
	require.Equal(t, core.CodePluginCrashed, f.Code)
	require.Contains(t, f.Message, "a run in it did not end when it was told to")
	require.ErrorAs(t, err, new(host.BystanderError))
}

// A process that crashes with several runs in it is one crash of the plugin.
func TestACrashIsHeldAgainstOneRun(t *testing.T) {
	p := hostile(t)
	ends := make(chan error, 3)
	callers := []*caller{{}, {}}
	for _, c := range callers {
		go func() {
			_, err := do(t.Context(), p, c, order{Do: "hold"})
			ends <- err
		}()
	}
	require.Eventually(t, func() bool {
		result(t, p, order{Do: "flood", N: 1})
		return callers[0].text() != "" && callers[1].text() != ""
	}, 10*time.Second, time.Millisecond)
	_, err := do(t.Context(), p, &caller{}, order{Do: "exit", N: 1})
	ends <- err
	bystanders := 0
	for range 3 {
		err := <-ends
		require.Equal(t, core.CodePluginCrashed, failureOf(t, err).Code)
		if _, ok := errors.AsType[host.BystanderError](err); ok {
			bystanders++
		}
	}
	require.Equal(t, 2, bystanders)
}

// A process that keeps crashing is started less and less often, and at once
// again after a success.
func TestCrashesAreSpaced(t *testing.T) {
	clock := newClock()
	p := load(t, newRuntimeWith(t, process.Config{Clock: clock}), artifact(program(t, hostilePackage, "")))
	crash := func() *core.Failure {
		_, err := do(t.Context(), p, &caller{}, order{Do: "exit", N: 1})
		return failureOf(t, err)
	}
	refused := func(want time.Duration) {
		f := crash()
		require.Equal(t, core.CodePluginUnavailable, f.Code)
		require.Equal(t, want, f.RetryAfter)
		require.Contains(t, f.Message, "in a row; it is started again in "+want.String())
		clock.advance(want)
	}
	require.Equal(t, core.CodePluginCrashed, crash().Code)
	require.Equal(t, core.CodePluginCrashed, crash().Code, "the first crash costs nothing")
	refused(200 * time.Millisecond)
	require.Equal(t, core.CodePluginCrashed, crash().Code)
	refused(400 * time.Millisecond)
	require.Equal(t, `"x"`, result(t, p, order{Do: "echo", Text: "x"}))
	require.Equal(t, core.CodePluginCrashed, crash().Code)
	require.Equal(t, `"x"`, result(t, p, order{Do: "echo", Text: "x"}), "the first crash after a success costs nothing")
}

// After a panic the process serves no further run.
func TestAPanicReplacesTheProcess(t *testing.T) {
	p := hostile(t)
	before := result(t, p, order{Do: "pid"})
	_, err := do(t.Context(), p, &caller{}, order{Do: "goexit"})
	require.Equal(t, core.CodePluginTrap, failureOf(t, err).Code)
	require.NotEqual(t, before, result(t, p, order{Do: "pid"}))
}

// A process per run is another each time and gone after it.
func TestAProcessPerRunIsGoneAfterIt(t *testing.T) {
	a := artifact(program(t, hostilePackage, ""))
	a.Init = host.InitPerRun
	p := load(t, newRuntimeWith(t, process.Config{}), a)
	seen := map[string]bool{}
	for range 3 {
		pid := result(t, p, order{Do: "ignore terminations"})
		require.False(t, seen[pid])
		seen[pid] = true
		n, err := strconv.Atoi(pid)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return !alive(n) }, 10*time.Second, time.Millisecond)
	}
}

// Close ends the process whatever it does.
func TestCloseEndsTheProcess(t *testing.T) {
	r := newRuntimeWith(t, process.Config{})
	p, err := r.Load(t.Context(), artifact(program(t, hostilePackage, "")))
	require.NoError(t, err)
	pid, err := strconv.Atoi(result(t, p, order{Do: "ignore terminations"}))
	require.NoError(t, err)
	require.True(t, alive(pid))
	require.NoError(t, p.Close(t.Context()))
	require.False(t, alive(pid))
	_, err = do(t.Context(), p, &caller{}, order{Do: "echo"})
	require.ErrorContains(t, err, "closed")
}

// A program that an unconfined plugin started, and that holds its output open,
// is killed with the group.
func TestTheWholeGroupEnds(t *testing.T) {
	r := newRuntimeWith(t, process.Config{})
	process.Unconfined(r)
	p, err := r.Load(t.Context(), artifact(program(t, hostilePackage, "")))
	require.NoError(t, err)
	child, err := strconv.Atoi(result(t, p, order{Do: "child"}))
	require.NoError(t, err)
	require.True(t, alive(child))
	require.NoError(t, p.Close(t.Context()))
	require.Eventually(t, func() bool { return !alive(child) || zombie(child) }, 10*time.Second, time.Millisecond)
}

// zombie tells whether a process has ended and only waits for its parent.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// hostVariable makes the test binary a host that loads the program at that path
// and is killed by the test.
const hostVariable = "PROCESS_TEST_HOST"

// serveAsHost is the host of TestNothingOutlivesTheHost.
func serveAsHost(path string) {
	program, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	r, err := process.New(process.Config{Dir: filepath.Dir(path)})
	if err != nil {
		panic(err)
	}
	p, err := r.Load(context.Background(), artifact(program))
	if err != nil {
		panic(err)
	}
	pid, err := do(context.Background(), p, &caller{}, order{Do: "ignore terminations"})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(pid))
	_, err = do(context.Background(), p, &caller{}, order{Do: "stubborn"})
	panic(err)
}

// A plugin ends with its host, also when the host is killed. What is left on
// disk is removed by the next host.
func TestNothingOutlivesTheHost(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "guest")
	require.NoError(t, os.WriteFile(path, program(t, hostilePackage, ""), 0o600))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), hostVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.True(t, alive(pid))

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	require.Eventually(t, func() bool { return !alive(pid) || zombie(pid) }, 10*time.Second, time.Millisecond)

	require.NoError(t, os.Remove(path))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	late := newClock()
	late.advance(time.Hour)
	newRuntimeWith(t, process.Config{Dir: dir, Clock: late}) // demands an empty directory at its end
}

// The directory of a host that lives is left alone.
func TestAnotherHostsSocketsAreLeftAlone(t *testing.T) {
	dir := shortDir(t)
	first, err := process.New(process.Config{Dir: dir})
	require.NoError(t, err)
	p := load(t, first, artifact(program(t, hostilePackage, "")))
	late := newClock()
	late.advance(time.Hour)
	second, err := process.New(process.Config{Dir: dir, Clock: late})
	require.NoError(t, err)
	require.NoError(t, second.Close(t.Context()))
	require.DirExists(t, process.SocketsOf(first))
	require.Equal(t, `"x"`, result(t, p, order{Do: "echo", Text: "x"}))
	t.Cleanup(func() { require.NoError(t, first.Close(context.Background())) })
}

func TestNewNeedsAShortDirectory(t *testing.T) {
	long := filepath.Join(shortDir(t), strings.Repeat("x", 100))
	require.NoError(t, os.Mkdir(long, 0o700))
	_, err := process.New(process.Config{Dir: long})
	require.ErrorContains(t, err, "too long for sockets")
	_, err = process.New(process.Config{Dir: filepath.Join(long, "missing")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A program that forgets RunIfChild does not start itself without end.
func TestNewRefusesToRunInAChild(t *testing.T) {
	t.Setenv("SCHEDULER_CONFINE", "{}")
	_, err := process.New(process.Config{Dir: shortDir(t)})
	require.ErrorContains(t, err, "process.RunIfChild")
}
