package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childVariable holds the order of a child in its environment. The program that
// the child executes does not see it.
const childVariable = "SCHEDULER_CONFINE"

const (
	imageFD  = 3 // where the host puts the image; the first of exec.Cmd.ExtraFiles
	reportFD = 4 // and where its end of the report is

	// maxFiles is what a plugin may have open. The image is moved to this number,
	// the first beyond: once it is closed, nothing can stand there again.
	maxFiles = 128

	maxThreads = 512 // of a user that only plugins have

	// maxStack is how far the main thread's stack may grow: RLIMIT_DATA does not
	// count it. Other stacks are mapped, and counted. It bounds the arguments of
	// the execution, too, to a quarter.
	maxStack = 8 << 20
)

// order says how a child confines itself.
type order struct {
	Parent       int    `json:"parent"` // process that the child dies with
	Dir          string `json:"dir"`    // where it may make its socket
	Memory       uint64 `json:"memory"` // bytes of RLIMIT_DATA
	UID          int    `json:"uid"`
	Landlock     int    `json:"landlock"`
	Seccomp      bool   `json:"seccomp"`
	Capabilities bool   `json:"capabilities"` // drop them
}

// RunIfChild confines the process and executes a plugin in it, if a Runtime
// started the process for that. It returns at once otherwise, and never in a
// child.
//
// A Runtime starts plugins by executing the program it is in. So RunIfChild has
// to be called first thing in main, and in TestMain of tests that start plugins.
func RunIfChild() {
	text, ok := os.LookupEnv(childVariable)
	if !ok {
		return
	}
	runtime.LockOSThread()
	// A collection that goes on after the limit of memory is set would need some.
	debug.SetGCPercent(-1)
	runtime.GC()                                                                         // waits for one under way
	_, _ = fmt.Fprint(os.NewFile(reportFD, "report"), "confine plugin: ", confine(text)) // there is nobody else to tell
	os.Exit(126)
}

// confine returns only with an error. Everything is applied to the calling
// thread, which the execution makes the only one.
func confine(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("read order: %w", err)
	}
	if err := o.moveImage(); err != nil {
		return err
	}
	// The kernel may take a plugin before the server when memory is short.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // a wish
	if err := o.limit(); err != nil {
		return err
	}
	if err := o.becomeNobody(); err != nil {
		return err
	}
	if err := o.tieToParent(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if o.Landlock > 0 {
		if err := landlock(o.Landlock, o.Dir); err != nil {
			return err
		}
	}
	return o.execute()
}

// moveImage closes everything at the execution but the standard streams.
func (o order) moveImage() error {
	if err := unix.Dup3(imageFD, maxFiles, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("move image: %w", err)
	}
	err := unix.CloseRange(imageFD, 1<<32-1, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) { // Linux before 5.11; the server opens all with close-on-exec
		unix.CloseOnExec(imageFD)
		unix.CloseOnExec(reportFD)
		return nil
	}
	return err
}

func (o order) limit() error {
	limits := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: maxFiles, unix.RLIMIT_MSGQUEUE: 0, unix.RLIMIT_STACK: maxStack}
	if o.UID > 0 { // the kernel counts all that the user has
		limits[unix.RLIMIT_NPROC] = maxThreads
	}
	for resource, value := range limits {
		if err := setLimit(resource, value); err != nil {
			return err
		}
	}
	return nil
}

func setLimit(resource int, value uint64) error {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
		return fmt.Errorf("set limit %d to %d: %w", resource, value, err)
	}
	return nil
}

// becomeNobody gives up what root can do.
func (o order) becomeNobody() error {
	if o.Capabilities {
		for c := 0; c <= unix.CAP_LAST_CAP; c++ {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: an older kernel has fewer
				return fmt.Errorf("drop capability %d: %w", c, err)
			}
		}
	}
	if o.UID == 0 {
		return nil
	}
	if err := unix.Setgroups(nil); err != nil {
		return fmt.Errorf("leave groups: %w", err)
	}
	if err := unix.Setresgid(o.UID, o.UID, o.UID); err != nil {
		return fmt.Errorf("change group: %w", err)
	}
	if err := unix.Setresuid(o.UID, o.UID, o.UID); err != nil {
		return fmt.Errorf("change user: %w", err)
	}
	return nil
}

// tieToParent repeats what the start has set, because a change of the user
// unsets it, and because it belongs to the thread.
func (o order) tieToParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie to the parent: %w", err)
	}
	if os.Getppid() != o.Parent {
		return errors.New("the server has ended")
	}
	return nil
}

// execute replaces the process by the image. Between the limit of memory, which
// the server's binary may be beyond already, and the execution nothing may
// allocate, so both are system calls without the runtime in between.
func (o order) execute() error {
	path, argv, env := &[]byte{0}[0], pointers([]string{"plugin"}), pointers(pluginEnvironment())
	if _, err := unix.Write(reportFD, []byte(begun)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	memory := unix.Rlimit{Cur: o.Memory, Max: o.Memory}
	if o.Seccomp {
		if err := newFilter(uint32(os.Getpid()), maxFiles).install(); err != nil {
			return err
		}
	}
	_, _, limited := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_DATA, uintptr(unsafe.Pointer(&memory)), 0, 0, 0) //nolint:gosec // the kernel reads a struct
	if limited != 0 {
		return fmt.Errorf("limit memory: %w", limited)
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, maxFiles, uintptr(unsafe.Pointer(path)), //nolint:gosec // as the kernel wants it
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0) //nolint:gosec // as the kernel wants it
	return fmt.Errorf("execute plugin: %w", errno)
}

func pluginEnvironment() []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, childVariable+"=") {
			env = append(env, variable)
		}
	}
	return env
}

// pointers makes the list that the kernel reads strings from.
func pointers(strings []string) []*byte {
	list := make([]*byte, 0, len(strings)+1)
	for _, s := range strings {
		list = append(list, &append([]byte(s), 0)[0])
	}
	return append(list, nil)
}
