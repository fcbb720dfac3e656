//go:build linux

// Command hostile is the plugin that the tests of processes are held
// against: it tries what no plugin may. Mode, set when it is built, makes it
// misbehave before it can be called.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nexuscore/scheduler/sdk"
)

// mode is set by the linker.
var mode string

// order is a task's data.
type order struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	N    int    `json:"n,omitempty"`
}

func init() {
	sdk.Register(sdk.Plugin{Name: "hostile", Version: "1.0.0", Handle: handle})
}

func main() {
	switch mode {
	case "crash":
		panic("not today")
	case "hang":
		wait()
	case "spin":
		for {
			runtime.Gosched()
		}
	case "garbage":
		fmt.Println("hello, world")
		fmt.Println("1|1|unix|/etc/passwd|grpc|")
		wait()
	case "tcp":
		fmt.Println("1|1|tcp|127.0.0.1:1|grpc|")
		wait()
	case "magic":
		_ = os.Unsetenv("SCHEDULER_PLUGIN")
	case "version":
		fmt.Println("1|99|unix|x|grpc|")
		wait()
	case "deaf": // the handshake is right, and nobody speaks gRPC
		deaf()
	case "babble":
		babble()
	case "noisy":
		fmt.Println("1|not the handshake")
		fmt.Println(strings.Repeat("x", 10_000))
		fmt.Print("1|unfinished\n")
	}
	sdk.Main()
}

// wait does nothing for ever. Go's runtime ends programs that wait for nothing.
func wait() {
	for {
		time.Sleep(time.Hour)
	}
}

func deaf() {
	path := os.Getenv("PLUGIN_UNIX_SOCKET_DIR") + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	fmt.Printf("1|1|unix|%s|grpc|\n", path)
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		_, _ = c.Write([]byte("HTTP/1.1 418 I'm a teapot\r\n\r\n"))
	}
}

func handle(c *sdk.Context) (any, error) {
	var o order
	if err := c.Bind(&o); err != nil {
		return nil, err
	}
	if try, ok := tries[o.Do]; ok {
		return answer(try(o))
	}
	if act, ok := acts[o.Do]; ok {
		return act(c, o)
	}
	return nil, sdk.Permanent(fmt.Errorf("cannot do %q", o.Do))
}

// answer tells how a forbidden thing went.
func answer(err error) (any, error) {
	if err == nil {
		return "done", nil
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return unix.ErrnoName(errno), nil
	}
	return err.Error(), nil
}

// tries are what must be refused.
var tries = map[string]func(order) error{
	"read":         func(order) error { _, err := os.ReadFile("/etc/passwd"); return err },
	"write":        func(order) error { return os.WriteFile("/tmp/hostile", nil, 0o600) },
	"fork":         func(order) error { return fork() },
	"exec":         func(order) error { return exec.Command("/bin/true").Run() },
	"replace":      func(order) error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
	"kill parent":  func(order) error { return syscall.Kill(os.Getppid(), 0) },
	"kill all":     func(order) error { return syscall.Kill(-1, syscall.SIGCONT) },
	"signal owner": func(order) error { _, err := unix.FcntlInt(1, unix.F_SETOWN, os.Getppid()); return err },
	"tcp":          func(order) error { _, err := net.DialTimeout("tcp", "127.0.0.1:1", time.Second); return err },
	"udp":          func(order) error { _, err := net.Dial("udp", "127.0.0.1:53"); return err },
	"unix":         func(order) error { _, err := net.Dial("unix", "/run/docker.sock"); return err },
	"datagram":     func(order) error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0); return err },
	"ptrace":       func(order) error { return unix.PtraceAttach(os.Getppid()) },
	"mount":        func(order) error { return unix.Mount("none", "/mnt", "tmpfs", 0, "") },
	"unshare":      func(order) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"session":      func(order) error { _, err := syscall.Setsid(); return err },
	"group":        func(order) error { return syscall.Setpgid(0, 0) },
	"untie":        func(order) error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) },
	"parent's limits": func(order) error {
		return unix.Prlimit(os.Getppid(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}, nil)
	},
	"parent's processor": func(order) error {
		var set unix.CPUSet
		set.Set(0)
		return unix.SchedSetaffinity(os.Getppid(), &set)
	},
	"shared memory": func(order) error {
		_, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
		return err
	},
	"growing memory": func(order) error {
		_, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_GROWSDOWN)
		return err
	},
	"shadow stack": func(order) error {
		_, _, errno := unix.Syscall(unix.SYS_MAP_SHADOW_STACK, 0, 1<<20, 0)
		return errno
	},
	"memory file": func(order) error { _, err := unix.MemfdCreate("x", 0); return err },
	"new call":    func(order) error { _, _, errno := unix.Syscall(9999, 0, 0, 0); return errno },
	"keys":        func(order) error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err },
	"bpf":         func(order) error { _, _, errno := unix.Syscall(unix.SYS_BPF, 0, 0, 0); return errno },
	"perf":        func(order) error { _, err := unix.PerfEventOpen(&unix.PerfEventAttr{}, 0, -1, -1, 0); return err },
	"file beside its socket": func(o order) error {
		return os.WriteFile(o.Text+"/x", []byte("x"), 0o600)
	},
	"open its directory": func(o order) error { return os.Chmod(o.Text, 0o700) },
}

func fork() error {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	}
	return nil
}

var (
	hoard [][]byte
	held  = make(chan struct{})
)

// acts are what must be ended, or does no harm.
var acts = map[string]func(*sdk.Context, order) (any, error){
	"echo": func(_ *sdk.Context, o order) (any, error) { return o.Text, nil },
	"pid":  func(*sdk.Context, order) (any, error) { return os.Getpid(), nil },
	"who": func(*sdk.Context, order) (any, error) {
		return map[string]any{"uid": os.Getuid(), "gid": os.Getgid()}, nil
	},
	"loop": func(*sdk.Context, order) (any, error) {
		for {
			hoard = hoard[:0]
		}
	},
	"stubborn": func(*sdk.Context, order) (any, error) { select {} },
	"obedient": func(c *sdk.Context, _ order) (any, error) { <-c.Done(); return nil, c.Err() },
	"memory": func(_ *sdk.Context, o order) (any, error) {
		for range o.N {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			hoard = append(hoard, b)
		}
		return len(hoard), nil
	},
	"flood": func(_ *sdk.Context, o order) (any, error) {
		line := []byte(strings.Repeat("x", 99) + "\n")
		for range o.N {
			_, _ = os.Stderr.Write(line)
		}
		return nil, nil
	},
	"giant":     func(_ *sdk.Context, o order) (any, error) { return strings.Repeat("x", o.N), nil },
	"arguments": func(c *sdk.Context, o order) (any, error) { return c.Call("config", strings.Repeat("x", o.N)) },
	"segfault": func(*sdk.Context, order) (any, error) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	},
	"exit":   func(_ *sdk.Context, o order) (any, error) { os.Exit(o.N); return nil, nil },
	"goexit": func(*sdk.Context, order) (any, error) { runtime.Goexit(); return nil, nil },
	"panic elsewhere": func(*sdk.Context, order) (any, error) {
		go func() { panic("from a goroutine") }()
		select {}
	},
	"hang up": func(*sdk.Context, order) (any, error) {
		for fd := 3; fd < 128; fd++ {
			_ = unix.Shutdown(fd, unix.SHUT_RDWR) // what is no socket says so
		}
		select {}
	},
	"ignore terminations": func(*sdk.Context, order) (any, error) {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		return os.Getpid(), nil
	},
	"hold":    func(*sdk.Context, order) (any, error) { <-held; return "let go", nil },
	"release": func(*sdk.Context, order) (any, error) { close(held); return nil, nil },
	"child": func(*sdk.Context, order) (any, error) {
		cmd := exec.Command("/bin/sleep", "600")
		cmd.Stdout = os.Stdout
		err := cmd.Start()
		return cmd.Process.Pid, err
	},
	"threads": func(_ *sdk.Context, o order) (any, error) {
		for range o.N {
			go func() { runtime.LockOSThread(); select {} }()
		}
		return nil, nil
	},
	"call after cancel": func(c *sdk.Context, _ order) (any, error) {
		<-c.Done()
		_, err := c.Call("config", struct{}{})
		return nil, err
	},
}
