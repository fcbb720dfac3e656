//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// warden is a shell that outlives this program when it is killed, and then ends
// the servers. It waits for the end of its input, which comes with our end, and
// runs what it has read.
type warden struct {
	cmd   *exec.Cmd
	input io.WriteCloser
}

func newWarden(dir string) (*warden, error) {
	cmd := exec.Command("/bin/sh", "-c", `last=$(cat); eval "$last"; sleep 2; rm -rf "$0"`, dir) //nolint:gosec // our own directory
	// No signal for us reaches it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = os.TempDir()
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &warden{cmd: cmd, input: input}, cmd.Start()
}

// watch adds a process group and the signal that ends it.
func (w *warden) watch(group int, end syscall.Signal) {
	_, _ = fmt.Fprintf(w.input, "kill -s %d -- -%d 2>/dev/null\n", int(end), group) // best effort: we end them ourselves
}

// dismiss ends the warden: there is nothing left to watch.
func (w *warden) dismiss() {
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
	_ = w.cmd.Wait()
}
