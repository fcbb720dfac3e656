//go:build linux

package process_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/process"
)

// What a plugin tries is refused by the kernel, and the plugin goes on.
func TestForbiddenThingsAreRefused(t *testing.T) {
	tests := map[string]struct {
		want string
		by   func() bool
	}{
		"read":                   {"EACCES", process.Landlock},
		"write":                  {"EACCES", process.Landlock},
		"fork":                   {"EPERM", process.Seccomp},
		"exec":                   {"permission denied EPERM EACCES", process.Seccomp},
		"replace":                {"EPERM", process.Seccomp},
		"kill parent":            {"EPERM", process.Seccomp},
		"kill all":               {"EPERM", process.Seccomp},
		"signal owner":           {"EPERM", process.Seccomp},
		"tcp":                    {"EPERM", process.Seccomp},
		"udp":                    {"EPERM", process.Seccomp},
		"unix":                   {"EPERM", process.Seccomp},
		"datagram":               {"EPERM", process.Seccomp},
		"ptrace":                 {"EPERM", process.Seccomp},
		"mount":                  {"EPERM", process.Seccomp},
		"unshare":                {"EPERM", process.Seccomp},
		"session":                {"EPERM", process.Seccomp},
		"group":                  {"EPERM", process.Seccomp},
		"untie":                  {"EPERM", process.Seccomp},
		"parent's limits":        {"EPERM", process.Seccomp},
		"parent's processor":     {"EPERM", process.Seccomp},
		"shared memory":          {"EPERM", process.Seccomp},
		"growing memory":         {"EPERM", process.Seccomp},
		"shadow stack":           {"EPERM", process.Seccomp},
		"memory file":            {"EPERM", process.Seccomp},
		"new call":               {"ENOSYS", process.Seccomp},
		"keys":                   {"EPERM", process.Seccomp},
		"bpf":                    {"EPERM", process.Seccomp},
		"perf":                   {"EPERM", process.Seccomp},
		"file beside its socket": {"EACCES", process.Landlock},
		"open its directory":     {"EPERM EACCES", process.Seccomp},
	}
	r := newRuntimeWith(t, process.Config{})
	p := load(t, r, artifact(program(t, hostilePackage, "")))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if !test.by() {
				t.Skip("the kernel cannot")
			}
			got := strings.Trim(result(t, p, order{Do: name, Text: socketDirectory(t, r)}), `"`)
			require.NotEmpty(t, got)
			require.Contains(t, strings.Fields(test.want), strings.Fields(got)[len(strings.Fields(got))-1], got)
		})
	}
}

// socketDirectory is the directory of the one process of a runtime.
func socketDirectory(t *testing.T, r *process.Runtime) string {
	t.Helper()
	entries, err := os.ReadDir(process.SocketsOf(r))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	return process.SocketsOf(r) + "/" + entries[0].Name()
}

// The refusals above come from the confinement: without it the same is done.
func TestWithoutConfinementItIsDone(t *testing.T) {
	r := newRuntimeWith(t, process.Config{})
	process.Unconfined(r)
	p := load(t, r, artifact(program(t, hostilePackage, "")))
	for _, name := range []string{"read", "fork", "exec", "kill parent", "datagram", "shared memory", "growing memory", "memory file", "signal owner"} {
		require.Equal(t, `"done"`, result(t, p, order{Do: name}), name)
	}
	require.Equal(t, `"ECONNREFUSED"`, result(t, p, order{Do: "tcp"}))
}

// Every bad end has a code of its own, and the plugin works again after it.
func TestBadEnds(t *testing.T) {
	tests := map[string]struct {
		order order
		code  core.Code
		want  string
	}{
		"memory bomb":              {order{Do: "memory", N: 2000}, core.CodePluginMemoryLimit, "256MiB (limit memory)"},
		"answer beyond the limit":  {order{Do: "giant", N: 2 << 20}, core.CodePluginOutputLimit, "1MiB (limit output)"},
		"answer beyond all limits": {order{Do: "giant", N: 20 << 20}, core.CodePluginOutputLimit, "sent a message of more than"},
		"segmentation fault":       {order{Do: "segfault"}, core.CodePluginCrashed, "SIGSEGV"},
		"exit with success":        {order{Do: "exit"}, core.CodePluginCrashed, "exited with status 0"},
		"exit":                     {order{Do: "exit", N: 3}, core.CodePluginCrashed, "exited with status 3"},
		"goexit":                   {order{Do: "goexit"}, core.CodePluginTrap, "runtime.Goexit"},
		"panic of a goroutine":     {order{Do: "panic elsewhere"}, core.CodePluginCrashed, "panic: from a goroutine"},
		"breaks its connection":    {order{Do: "hang up"}, core.CodePluginTrap, "broke the connection"},
	}
	clock := newClock()
	r := newRuntimeWith(t, process.Config{Clock: clock})
	a := artifact(program(t, hostilePackage, ""))
	a.Limits.Memory = 256 * host.MiB
	p := load(t, r, a)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			c := &caller{}
			_, err := do(ctx, p, c, test.order)
			f := failureOf(t, err)
			require.Equal(t, test.code, f.Code, f.Message)
			require.Equal(t, core.ClassRetryable, f.Class)
			require.Contains(t, f.Message, test.want)
			require.NotContains(t, f.Message, "goroutine 1")
			require.Eventually(t, func() bool {
				clock.advance(process.MaxDelay)
				_, err := do(t.Context(), p, &caller{}, order{Do: "echo"})
				return err == nil
			}, 10*time.Second, time.Millisecond)
		})
	}
}

// hanging is what no end takes, however busy the machine is.
const hanging = 30 * time.Second

// A start that goes wrong is an error of Load that says what to correct.
func TestBadStarts(t *testing.T) {
	tests := map[string]string{
		"crash":   "it exited with status 2 before it could be called: panic: not today",
		"hang":    "it could not be called within 2s",
		"spin":    "it could not be called within 2s",
		"garbage": "not a socket in its directory",
		"tcp":     "not a socket in its directory",
		"magic":   "it exited with status 2 before it could be called",
		"version": "API version",
	}
	r := newRuntimeWith(t, process.Config{StartTimeout: 2 * time.Second})
	for mode, want := range tests {
		t.Run(mode, func(t *testing.T) {
			a := artifact(program(t, hostilePackage, mode))
			start := time.Now()
			_, err := r.Load(t.Context(), a)
			require.ErrorContains(t, err, want)
			require.Less(t, time.Since(start), hanging)
			entries, err := os.ReadDir(process.SocketsOf(r))
			require.NoError(t, err)
			require.Empty(t, entries, "nothing is left of it")
		})
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	r := newRuntimeWith(t, process.Config{StartTimeout: time.Minute})
	for _, init := range []host.Init{host.InitImage, host.InitPerRun} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		a := artifact(program(t, hostilePackage, "hang"))
		a.Init = init
		start := time.Now()
		_, err := r.Load(ctx, a)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), hanging)
	}
}

// A plugin that answers the handshake and then speaks something else is found
// out when it is asked for its manifest.
func TestGarbageInsteadOfTheProtocol(t *testing.T) {
	p := load(t, newRuntimeWith(t, process.Config{}), artifact(program(t, hostilePackage, "deaf")))
	_, err := p.Describe(t.Context())
	require.Equal(t, core.CodePluginTrap, failureOf(t, err).Code)
	_, err = do(t.Context(), p, &caller{}, order{Do: "echo"})
	require.Equal(t, core.CodePluginTrap, failureOf(t, err).Code)
}

// A plugin that speaks gRPC and no more of the protocol ends as a trap.
func TestBrokenProtocol(t *testing.T) {
	a := artifact(program(t, hostilePackage, "babble"))
	a.Limits.Memory = 256 * host.MiB
	p := load(t, newRuntimeWith(t, process.Config{}), a)
	manifest, err := p.Describe(t.Context())
	require.NoError(t, err)
	require.Nil(t, manifest, "it has none")
	for name, want := range map[string]string{
		"no frame":       "sent what is no message",
		"unknown kind":   `unknown kind "song"`,
		"long name":      "a name of 65 bytes",
		"long arguments": "at most 16777216",
		"status":         "ended the run with PermissionDenied: go away",
		"silence":        "without a response",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := do(t.Context(), p, &caller{}, order{Do: name})
			f := failureOf(t, err)
			require.Equal(t, core.CodePluginTrap, f.Code, f.Message)
			require.Contains(t, f.Message, want)
		})
	}
	t.Run("unread answers", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := do(ctx, p, &caller{}, order{Do: "unread answers"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), hanging)
	})
}

// What a plugin prints before the handshake does not disturb it.
func TestOutputBeforeTheHandshake(t *testing.T) {
	p := load(t, newRuntimeWith(t, process.Config{}), artifact(program(t, hostilePackage, "noisy")))
	require.Equal(t, `"hello"`, result(t, p, order{Do: "echo", Text: "hello"}))
}

// A run that ends when it is told to leaves its process to others; one that
// does not takes the process with it, within a second.
func TestCancelledRuns(t *testing.T) {
	p := hostile(t)
	for _, test := range []struct {
		do    string
		keeps bool
	}{{"obedient", true}, {"call after cancel", true}, {"stubborn", false}, {"loop", false}} {
		t.Run(test.do, func(t *testing.T) {
			before := result(t, p, order{Do: "pid"})
			reason := errors.New("told to end")
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			started := newBell()
			go func() {
				_, err := do(ctx, p, started, order{Do: test.do})
				ended <- err
			}()
			time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
			<-ctx.Done()
			start := time.Now()
			require.ErrorIs(t, <-ended, reason)
			require.Less(t, time.Since(start), hanging)
			require.Equal(t, test.keeps, before == result(t, p, order{Do: "pid"}))
		})
	}
}

// Processor time ends a run; sleeping does not.
func TestComputingIsLimited(t *testing.T) {
	a := artifact(program(t, hostilePackage, ""))
	a.Limits.CPU = 200 * time.Millisecond
	p := load(t, newRuntimeWith(t, process.Config{}), a)
	start := time.Now()
	late, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	_, err := do(late, p, &caller{}, order{Do: "loop"})
	f := failureOf(t, err)
	require.Equal(t, core.CodePluginCPULimit, f.Code)
	require.Contains(t, f.Message, "200ms (limit cpu)")
	require.Less(t, time.Since(start), hanging)

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = do(ctx, p, &caller{}, order{Do: "obedient"})
	require.ErrorIs(t, err, context.DeadlineExceeded, "waiting is not computing")
}

// What a plugin writes is read at a bounded rate: it waits, the host does not.
func TestFloodsOfOutputAreSlowedDown(t *testing.T) {
	p := hostile(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c := &caller{}
	start := time.Now()
	_, err := do(ctx, p, c, order{Do: "flood", N: 10_000_000})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	windows := int(time.Since(start)/process.Window) + 3
	require.LessOrEqual(t, c.written, windows*process.Budget)
	require.Greater(t, c.written, process.Budget/2)
}

// An error of the caller ends the run where it stands.
func TestTheCallersErrorEndsTheRun(t *testing.T) {
	c := &caller{err: &core.Failure{Code: core.CodePluginCallLimit}}
	p := hostile(t)
	_, err := do(t.Context(), p, c, order{Do: "arguments", N: 10})
	require.ErrorIs(t, err, c.err)
	require.Equal(t, `"x"`, result(t, p, order{Do: "echo", Text: "x"}))
}

func TestLoadRefusesWhatIsNoProgram(t *testing.T) {
	shell, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	foreign := append([]byte(nil), program(t, hostilePackage, "")...)
	foreign[18] ^= 0xff // the machine
	r := newRuntimeWith(t, process.Config{})
	for name, test := range map[string]struct {
		program []byte
		want    string
	}{
		"nothing":            {nil, "not a Linux program"},
		"script":             {[]byte("#!/bin/sh\n"), "not a Linux program"},
		"module":             {[]byte("\x00asm\x01\x00\x00\x00"), "runtime: wasm"},
		"dynamic":            {shell, "CGO_ENABLED=0"},
		"of another machine": {foreign, "GOARCH="},
		"cut off":            {program(t, hostilePackage, "")[:5000], "not a Linux program"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Load(t.Context(), artifact(test.program))
			require.ErrorContains(t, err, test.want)
		})
	}
}

// With a user for plugins they are that user.
func TestPluginsAreTheirOwnUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change the user")
	}
	groups, err := os.Getgroups()
	require.NoError(t, err)
	require.NoError(t, syscall.Setgroups([]int{0, 1}))
	t.Cleanup(func() { require.NoError(t, syscall.Setgroups(groups)) })
	r := newRuntimeWith(t, process.Config{UID: 65432, Dir: openDir(t)})
	p := load(t, r, artifact(program(t, hostilePackage, "")))
	require.JSONEq(t, `{"uid": 65432, "gid": 65432}`, result(t, p, order{Do: "who"}))
	require.Equal(t, "65432", r.Confinement()["uid"])
	pid, err := strconv.Atoi(result(t, p, order{Do: "pid"}))
	require.NoError(t, err)
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	require.NoError(t, err)
	for _, line := range []string{"NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Groups:\t \n"} {
		require.Contains(t, string(status), line)
	}
}

// Root that is nobody else has no capabilities.
func TestPluginsHaveNoCapabilities(t *testing.T) {
	p := hostile(t)
	status, err := os.ReadFile("/proc/" + result(t, p, order{Do: "pid"}) + "/status")
	require.NoError(t, err)
	require.Contains(t, string(status), "CapEff:\t0000000000000000")
	require.Contains(t, string(status), "NoNewPrivs:\t1")
	if process.Seccomp() {
		require.Contains(t, string(status), "Seccomp:\t2")
	}
}

// The main thread's stack is memory that RLIMIT_DATA does not count.
func TestTheMainStackIsLimited(t *testing.T) {
	limits, err := os.ReadFile("/proc/" + result(t, hostile(t), order{Do: "pid"}) + "/limits")
	require.NoError(t, err)
	require.Regexp(t, `Max stack size +8388608 +8388608 `, string(limits))
}

// alive tells whether a process exists.
func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

var _ host.Caller = (*caller)(nil)
