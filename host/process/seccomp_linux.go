package process

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel does with a system call (linux/seccomp.h).
const (
	seccompAllow = 0x7fff0000
	seccompErrno = 0x00050000 // with the error in the low bits
	seccompKill  = 0x80000000

	fiosetown = 0x8901 // asm-generic/sockios.h

	seccompSetFilter   = 1
	seccompActionAvail = 2
)

// Where a filter finds the system call (struct seccomp_data, little-endian).
const (
	offsetNumber       = 0
	offsetArchitecture = 4
	offsetArguments    = 16
)

func argument(n uint32) uint32 { return offsetArguments + 8*n }

// seccompAvailable tells whether the kernel has filters, and this package one for
// the architecture.
func seccompAvailable() bool {
	action := uint32(seccompErrno)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompActionAvail, 0, uintptr(unsafe.Pointer(&action))) //nolint:gosec // the kernel reads a number
	return errno == 0 && auditArchitecture != 0
}

// filter is a program that judges system calls.
type filter []unix.SockFilter

func (f *filter) load(offset uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

// unless skips the next n instructions when the comparison holds.
func (f *filter) unless(compare uint16, value uint32, n uint8) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | compare, K: value, Jt: n})
}

// when skips the next n instructions when the comparison does not hold.
func (f *filter) when(compare uint16, value uint32, n uint8) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | compare, K: value, Jf: n})
}

func (f *filter) end(action uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action})
}

func (f *filter) refuse(errno unix.Errno) { f.end(seccompErrno | uint32(errno)) }

// on judges one system call, by a block that ends every way through it.
func (f *filter) on(number uint32, block func(*filter)) {
	var b filter
	block(&b)
	f.when(unix.BPF_JEQ, number, uint8(len(b)))
	*f = append(*f, b...)
}

// only allows the call while the first argument is that value.
func only(value uint32) func(*filter) {
	return func(f *filter) {
		f.load(argument(0))
		f.when(unix.BPF_JEQ, value, 1)
		f.end(seccompAllow)
		f.refuse(unix.EPERM)
	}
}

// never refuses the call when the argument is one of the values.
func never(arg uint32, values ...uint32) func(*filter) {
	return func(f *filter) {
		f.load(argument(arg))
		for _, v := range values {
			f.when(unix.BPF_JEQ, v, 1)
			f.refuse(unix.EPERM)
		}
		f.end(seccompAllow)
	}
}

// newFilter makes the filter of a process with that id, whose program is
// executed from the descriptor image.
//
// It is a list of what is closed: a plugin may be written in any language, and a
// list of what is open would follow every runtime. What was added to the kernel
// after this was written is closed, too.
func newFilter(pid, image uint32) filter {
	var f filter
	f.load(offsetArchitecture)
	f.unless(unix.BPF_JEQ, auditArchitecture, 1)
	f.end(seccompKill)
	f.load(offsetNumber)
	f.when(unix.BPF_JGT, newestCall, 1)
	f.refuse(unix.ENOSYS)
	for _, number := range closedCalls() {
		f.when(unix.BPF_JEQ, number, 1)
		f.refuse(unix.EPERM)
	}
	// glibc falls back to clone, whose flags can be seen.
	f.on(unix.SYS_CLONE3, func(f *filter) { f.refuse(unix.ENOSYS) })
	f.on(unix.SYS_CLONE, func(f *filter) { // threads, no processes
		f.load(argument(0))
		f.when(unix.BPF_JSET, unix.CLONE_THREAD, 1)
		f.end(seccompAllow)
		f.refuse(unix.EPERM)
	})
	f.on(unix.SYS_MMAP, func(f *filter) { // shared memory and stacks escape RLIMIT_DATA
		f.load(argument(3))
		f.when(unix.BPF_JSET, unix.MAP_SHARED|unix.MAP_GROWSDOWN, 1)
		f.refuse(unix.EPERM)
		f.end(seccompAllow)
	})
	f.on(unix.SYS_SOCKET, func(f *filter) { // to listen for the host
		f.load(argument(0))
		f.unless(unix.BPF_JEQ, unix.AF_UNIX, 1)
		f.refuse(unix.EPERM)
		f.load(argument(1))
		*f = append(*f, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf}) // without SOCK_CLOEXEC and SOCK_NONBLOCK
		f.when(unix.BPF_JEQ, unix.SOCK_STREAM, 1)
		f.end(seccompAllow)
		f.refuse(unix.EPERM)
	})
	// Go's runtime signals its own threads.
	f.on(unix.SYS_KILL, only(pid))
	f.on(unix.SYS_TGKILL, only(pid))
	f.on(unix.SYS_PRLIMIT64, only(0))
	// A process that unties itself would outlive the host.
	f.on(unix.SYS_PRCTL, never(0, unix.PR_SET_PDEATHSIG))
	f.on(unix.SYS_FCNTL, never(1, unix.F_SETOWN, unix.F_SETOWN_EX, unix.F_SETSIG))
	f.on(unix.SYS_IOCTL, never(1, unix.TIOCSTI, fiosetown, unix.SIOCSPGRP))
	// The one execution that is left. The descriptor is beyond what the process
	// may open, so there is no second.
	f.on(unix.SYS_EXECVEAT, only(image))
	f.end(seccompAllow)
	return f
}

// install puts the calling thread, and what it executes, under the filter.
func (f filter) install() error {
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompSetFilter, 0, uintptr(unsafe.Pointer(&program))); errno != 0 { //nolint:gosec // the kernel reads a struct
		return fmt.Errorf("install seccomp filter: %w", errno)
	}
	return nil
}

// closedCalls are refused whatever their arguments.
func closedCalls() []uint32 {
	return append(olderCalls(),
		// other processes: their memory, their descriptors, their priority
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_MRELEASE,
		unix.SYS_KCMP, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO,
		unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_SETPRIORITY, unix.SYS_IOPRIO_SET, unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_SETATTR,
		unix.SYS_SCHED_SETPARAM, unix.SYS_SCHED_SETSCHEDULER, unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES,
		// its own group, by which it is killed
		unix.SYS_SETPGID, unix.SYS_SETSID,
		// programs
		unix.SYS_EXECVE,
		// the network: the host connects to the plugin, never the other way
		unix.SYS_CONNECT, unix.SYS_SOCKETPAIR,
		// memory that RLIMIT_DATA does not count, and messages
		unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET, unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_REMAP_FILE_PAGES,
		unix.SYS_MAP_SHADOW_STACK, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN,
		// its directory, which the host closes after the start
		unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
		// namespaces and mounts
		unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT,
		unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_QUOTACTL, unix.SYS_SWAPON, unix.SYS_SWAPOFF,
		// the kernel's machinery, where its defects are
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_FANOTIFY_INIT,
		// the machine
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SYSLOG,
		unix.SYS_ACCT, unix.SYS_PERSONALITY, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
		unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP,
	)
}
