package process

import "golang.org/x/sys/unix"

const (
	auditArchitecture = unix.AUDIT_ARCH_AARCH64
	newestCall        = unix.SYS_MSEAL
)

// olderCalls are closed calls that not all architectures have.
func olderCalls() []uint32 { return []uint32{unix.SYS_KEXEC_FILE_LOAD} }
