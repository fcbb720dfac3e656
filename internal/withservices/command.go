//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// commandGrace is how long the command may take to end after a signal.
const commandGrace = 10 * time.Second

// runCommand runs the command with more environment and returns its exit code.
// When ctx ends it is asked to end, and after a while made to.
func (h *house) runCommand(ctx context.Context, command, env []string, stdout, stderr io.Writer) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // running the caller's command is what this program is for
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	// A group of its own: a signal reaches all that the command has started,
	// once, whether it comes from a terminal or from another program.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = commandGrace
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	h.warden.watch(cmd.Process.Pid, syscall.SIGKILL)
	err := cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, nil
	case ended && exit.ProcessState.Exited():
		return exit.ExitCode(), nil
	case ended:
		status, _ := exit.Sys().(syscall.WaitStatus)
		return 128 + int(status.Signal()), nil
	}
	return 1, err
}
