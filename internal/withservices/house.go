//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// service is a kind of server this program can start.
type service struct {
	name     string
	env      string // the variable with its URL
	binary   func() (path string, err error)
	packages []string // of Debian, that have the binary
	start    func(ctx context.Context, h *house, binary, dir string) (url string, err error)
}

// house is where the servers live: a directory and the processes in it.
type house struct {
	dir    string
	stderr io.Writer
	warden *warden

	mu        sync.Mutex
	processes []*process
}

func newHouse(stderr io.Writer) (*house, error) {
	dir, err := os.MkdirTemp("", "withservices")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // Postgres runs as another user below it
		return nil, err
	}
	w, err := newWarden(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &house{dir: dir, stderr: stderr, warden: w}, nil
}

// startAll starts the services that the environment does not name, at the same
// time, and returns their variables.
func (h *house) startAll(ctx context.Context, services []service) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var wanted []service
	for _, s := range services {
		if os.Getenv(s.env) == "" {
			wanted = append(wanted, s)
		}
	}
	if err := install(ctx, wanted, h.stderr); err != nil {
		return nil, err
	}
	env, errs := make([]string, len(wanted)), make([]error, len(wanted))
	var g sync.WaitGroup
	for i, s := range wanted {
		g.Go(func() {
			if env[i], errs[i] = h.start(ctx, s); errs[i] != nil {
				cancel() // the others need not go on
			}
		})
	}
	g.Wait()
	return env, errors.Join(errs...)
}

func (h *house) start(ctx context.Context, s service) (string, error) {
	binary, err := s.binary()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(h.dir, s.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	url, err := s.start(ctx, h, binary, dir)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", s.name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock() // one line at a time
	fmt.Fprintf(h.stderr, "withservices: %s=%s (%s)\n", s.env, url, binary)
	return s.env + "=" + url, nil
}

// run starts a server that ends with the house. end is the signal that makes it
// leave at once. What it says goes to a file that await quotes.
func (h *house) run(cmd *exec.Cmd, logFile string, end syscall.Signal) (*process, error) {
	out, err := os.Create(logFile) //nolint:gosec // in our own directory
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the server has its own copy
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // not reached by the terminal's signals: it ends after the command
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: logFile, end: end, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	h.warden.watch(cmd.Process.Pid, end)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.processes = append(h.processes, p)
	return p, nil
}

// close ends every server and removes the directory.
func (h *house) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.processes {
		p.signal(p.end)
	}
	for _, p := range h.processes {
		p.stop()
	}
	h.warden.dismiss()
	if err := os.RemoveAll(h.dir); err != nil {
		fmt.Fprintln(h.stderr, "withservices:", err)
	}
}

// process is a server that runs.
type process struct {
	cmd   *exec.Cmd
	log   string
	end   syscall.Signal
	ended chan struct{} // closed when it has
	err   error         // how it ended; read after ended
}

func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// stop waits for the process and kills what does not leave.
func (p *process) stop() {
	patience := time.NewTimer(5 * time.Second)
	defer patience.Stop()
	select {
	case <-p.ended:
	case <-patience.C:
	}
	p.signal(syscall.SIGKILL) // also what it has started
	<-p.ended
}

// await asks until the server answers. It fails when the server has ended or
// ctx ends, with what the server said last.
func (p *process) await(ctx context.Context, answers func(ctx context.Context) error) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended with %w and said:\n%s", errOr(p.err, errors.New("exit status 0")), tail(p.log))
		case <-ctx.Done():
			return fmt.Errorf("it does not answer (%w) and said:\n%s", err, tail(p.log))
		case <-again.C:
		}
	}
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// tail is the end of a file.
func tail(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // in our own directory
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// freePort finds a port that is free now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// freePorts finds several different ones.
func freePorts(n int) ([]string, error) {
	seen := map[string]bool{}
	for len(seen) < n {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		seen[port] = true
	}
	ports := make([]string, 0, n)
	for port := range seen {
		ports = append(ports, port)
	}
	return ports, nil
}
