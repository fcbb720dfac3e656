//go:build linux

package process

import (
	"os"
	"time"

	"github.com/nexuscore/scheduler/host"
)

// The tests of the runtime's inside reach it by these.

// Unconfined makes a runtime do as on a kernel that can hold nothing.
func Unconfined(r *Runtime) { r.confinement = confinement{} }

// Landlock tells whether the kernel can close the file system, and Seccomp
// whether it can judge system calls.
func Landlock() bool { return landlockABI() > 0 }

// Seccomp is described at Landlock.
func Seccomp() bool { return seccompAvailable() }

// SocketsOf lists the directories of a runtime.
func SocketsOf(r *Runtime) string { return r.dir.path }

// Replace puts another program, or what is none, in a plugin's place.
func Replace(p host.Plugin, image *os.File) (before *os.File) {
	inside := p.(*plugin)
	before, inside.image = inside.image, image
	return before
}

// Image is a program that Replace takes.
func Image(program []byte) (*os.File, error) { return newImage(program) }

// Hurry bounds the starts of a runtime from now on.
func Hurry(r *Runtime, limit time.Duration) { r.cfg.StartTimeout = limit }

// Window is how long, and Budget how many bytes of, output is read at a time.
const (
	Window = outputWindow
	Budget = outputBudget
)

// MaxDelay is the longest wait between two starts.
const MaxDelay time.Duration = maxDelay
