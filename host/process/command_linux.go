package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"

	"github.com/nexuscore/scheduler/host"
)

// command is the process of a plugin, as the system sees it. It is what
// go-plugin's client starts; go-plugin sees of its streams only the line of the
// handshake.
type command struct {
	cmd    *exec.Cmd
	dir    string
	order  order
	thread *starter
	write  func(host.Stream, []byte) // takes what the process writes

	handshake handshake
	lines     *io.PipeReader
	outputs   []*output
	report    report

	mu     sync.Mutex
	killed bool // no start any more
	reaped bool // the process id may belong to another
	byHost bool // it was alive when it was killed

	ended  chan struct{} // closed when the process and its streams have ended
	status string        // how it ended, once ended is closed
}

func newCommand(cmd *exec.Cmd, dir string, o order, thread *starter, write func(host.Stream, []byte)) *command {
	c := &command{cmd: cmd, dir: dir, order: o, thread: thread, write: write, ended: make(chan struct{})}
	c.lines, c.handshake.to = io.Pipe()
	return c
}

// Start implements runner.Runner.
func (c *command) Start(context.Context) error {
	err := c.start()
	if err != nil {
		c.status = err.Error()
		_ = c.handshake.to.Close()
		_ = os.RemoveAll(c.dir)
		close(c.ended)
	}
	return err
}

func (c *command) start() error {
	c.order.Dir, c.order.Parent = c.dir, os.Getpid()
	text, err := json.Marshal(c.order)
	if err != nil {
		return err
	}
	c.cmd.Env = append(c.cmd.Env, childVariable+"="+string(text))
	if c.order.UID > 0 {
		if err := os.Chown(c.dir, c.order.UID, c.order.UID); err != nil {
			return err
		}
	}
	writers, err := c.openStreams()
	if err != nil {
		return err
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = nil, writers[0], writers[1]
	reporter, err := c.report.open()
	if err != nil {
		closeAll(writers)
		return err
	}
	c.cmd.ExtraFiles = append(c.cmd.ExtraFiles, reporter)
	writers = append(writers, reporter)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err = c.launch()
	closeAll(writers)
	if err != nil {
		c.report.close()
		for _, o := range c.outputs {
			_ = o.file.Close()
		}
		return err
	}
	c.watch()
	return nil
}

// openStreams makes the pipes of the process and returns its ends.
func (c *command) openStreams() ([]*os.File, error) {
	var writers []*os.File
	for _, deliver := range []func([]byte){
		func(p []byte) { c.write(host.Stdout, c.handshake.filter(p)) },
		func(p []byte) { c.write(host.Stderr, p) },
	} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		o, err := newOutput(r, deliver)
		if err != nil {
			return nil, err
		}
		c.outputs, writers = append(c.outputs, o), append(writers, w)
	}
	return writers, nil
}

// launch starts the process, unless it was killed already.
func (c *command) launch() (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed {
		return errors.New("killed before it started")
	}
	c.thread.do(func() { err = c.cmd.Start() })
	return err
}

// watch reads the streams and waits for the end.
func (c *command) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	for _, o := range c.outputs {
		reading.Go(func() { o.pump(ctx) })
	}
	reading.Go(c.report.read)
	go func() {
		c.reap()
		cancel() // whoever has inherited the streams does not hold the host
		reading.Wait()
		_ = c.handshake.to.Close()
		_ = os.Chmod(c.dir, 0o700) //nolint:gosec // a directory
		_ = os.RemoveAll(c.dir)
		close(c.ended)
	}()
}

// reap waits for the end and kills what is left of the group, while the process
// id is still taken.
func (c *command) reap() {
	pid := c.cmd.Process.Pid
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = unix.Kill(-pid, unix.SIGKILL)
	_ = c.cmd.Wait() // the status says it
	c.reaped = true
	c.status = describe(c.cmd.ProcessState)
}

// describe says how a process ended.
func describe(s *os.ProcessState) string {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return fmt.Sprintf("was killed by signal %d (%s)", w.Signal(), w.Signal())
	}
	return fmt.Sprintf("exited with status %d", s.ExitCode())
}

// kill ends the process and all of its group. It does not wait.
func (c *command) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.cmd.Process != nil && !c.reaped {
		c.byHost = true
		_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL) // it may have ended
	}
}

// endedByItself tells whether the process has ended, and not because the host
// killed it.
func (c *command) endedByItself() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reaped && !c.byHost
}

// settle delivers what the process has written until now.
func (c *command) settle() {
	for _, o := range c.outputs {
		o.settle()
	}
}

// Kill implements runner.AttachedRunner.
func (c *command) Kill(context.Context) error {
	c.kill()
	return nil
}

// Wait implements runner.AttachedRunner.
func (c *command) Wait(ctx context.Context) error {
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stdout implements runner.Runner: the line of the handshake.
func (c *command) Stdout() io.ReadCloser { return c.lines }

// Stderr implements runner.Runner: nothing.
func (c *command) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Diagnose implements runner.Runner.
func (c *command) Diagnose(context.Context) string { return "" }

// Name implements runner.Runner.
func (c *command) Name() string { return "plugin" }

// ID implements runner.AttachedRunner.
func (c *command) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(c.cmd.Process.Pid)
}

// PluginToHost implements runner.AddrTranslator. The plugin chooses the address:
// only a socket in its own directory is called.
func (c *command) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || filepath.Dir(filepath.Clean(address)) != c.dir {
		return "", "", fmt.Errorf("the plugin listens on %.80q %.200q, which is not a socket in its directory", network, address)
	}
	info, err := os.Lstat(address)
	if err != nil {
		return "", "", err
	}
	if info.Mode().Type() != os.ModeSocket {
		return "", "", fmt.Errorf("%s is no socket", address)
	}
	return network, address, nil
}

// HostToPlugin implements runner.AddrTranslator. The host offers no address.
func (c *command) HostToPlugin(string, string) (string, string, error) {
	return "", "", errors.New("the host offers no address")
}

var _ runner.Runner = (*command)(nil)
