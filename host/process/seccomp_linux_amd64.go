package process

import "golang.org/x/sys/unix"

const (
	auditArchitecture = unix.AUDIT_ARCH_X86_64
	newestCall        = unix.SYS_MSEAL // the x32 calls are above it
)

// olderCalls are closed calls that newer architectures do not have.
func olderCalls() []uint32 {
	return []uint32{
		unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_MODIFY_LDT, unix.SYS_IOPL, unix.SYS_IOPERM,
		unix.SYS_KEXEC_FILE_LOAD,
	}
}
