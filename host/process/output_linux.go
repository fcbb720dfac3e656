package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What is read of a stream within a window; a program that writes more than
// that waits in its writing.
const (
	outputWindow = 100 * time.Millisecond
	outputBudget = 1 << 20 // bytes
)

// output reads one of a process's two output streams.
type output struct {
	file *os.File
	conn syscall.RawConn

	mu      sync.Mutex // held from reading bytes until they are delivered
	deliver func([]byte)
	buffer  [16 << 10]byte
}

func newOutput(file *os.File, deliver func([]byte)) (*output, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &output{file: file, conn: conn, deliver: deliver}, nil
}

// pump delivers what comes until the stream ends, or ctx and what is in the
// stream by then.
func (o *output) pump(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = o.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for window := newWindow(); ; window.wait(ctx) {
		n := 0
		err := o.conn.Read(func(fd uintptr) bool {
			n = o.take(fd)
			return n >= 0
		})
		if err != nil || n == 0 {
			o.settle()
			_ = o.file.Close()
			return
		}
		window.used += n
	}
}

// settle delivers what was written before it was called.
func (o *output) settle() {
	_ = o.conn.Control(func(fd uintptr) {
		for total := 0; total < outputBudget; {
			n := o.take(fd)
			if n <= 0 {
				return
			}
			total += n
		}
	}) // closed: all was delivered
}

// take reads and delivers once. It returns 0 at the end, and -1 when nothing is
// there.
func (o *output) take(fd uintptr) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		n, err := unix.Read(int(fd), o.buffer[:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return -1
		case err != nil || n <= 0:
			return 0
		}
		o.deliver(o.buffer[:n])
		return n
	}
}

// window spaces what is read.
type window struct {
	used  int
	timer *time.Timer
}

func newWindow() *window { return &window{timer: time.NewTimer(outputWindow)} }

// wait begins a new window when the time of the old one is over, and waits for
// that when its budget is used up.
func (w *window) wait(ctx context.Context) {
	if w.used < outputBudget {
		select {
		case <-w.timer.C:
		default:
			return
		}
	} else {
		select {
		case <-w.timer.C:
		case <-ctx.Done():
			return
		}
	}
	w.used = 0
	w.timer.Reset(outputWindow)
}

const maxHandshake = 4 << 10 // bytes of a line

var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|`)

// handshake finds the one line of a process's standard output that go-plugin
// reads. Everything else is output of the plugin, even if it comes first.
type handshake struct {
	line  []byte
	found bool
	to    *io.PipeWriter
}

// filter passes the line on and returns the rest.
func (h *handshake) filter(p []byte) []byte {
	if h.found {
		return p
	}
	h.line = append(h.line, p...)
	var rest []byte
	for {
		line, after, ended := bytes.Cut(h.line, []byte("\n"))
		switch {
		case !ended && len(h.line) <= maxHandshake:
			return rest
		case ended && len(line) <= maxHandshake && handshakeLine.Match(line):
			h.found, h.line = true, nil
			_, _ = h.to.Write(append(line[:len(line):len(line)], '\n')) // read until it is closed
			_ = h.to.Close()
			return append(rest, after...)
		}
		rest = append(rest, h.line[:len(h.line)-len(after)]...)
		h.line = after
	}
}
