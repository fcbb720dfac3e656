//go:build linux

package process

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// The bytes that were verified are the bytes that run: nobody can change them.
func TestTheImageIsSealed(t *testing.T) {
	f, err := newImage([]byte("program"))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, err = f.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, unix.EPERM)
	require.ErrorIs(t, f.Truncate(0), unix.EPERM)
	_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, 0)
	require.ErrorIs(t, err, unix.EPERM)
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 100))
	require.NoError(t, err)
	require.Equal(t, "program", string(content))
}

// All processes are started by one thread, whoever asks: they would die with
// another.
func TestStarterIsOneThread(t *testing.T) {
	s := newStarter()
	defer s.close()
	threads := map[int]bool{}
	for range 20 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // the thread ends with the goroutine
			s.do(func() { threads[unix.Gettid()] = true })
		}()
		<-done
	}
	require.Len(t, threads, 1)
}

// A start that fails is one crash of the plugin, however many runs wait for it.
func TestAFailedStartIsHeldAgainstOneRun(t *testing.T) {
	s := &starting{done: make(chan struct{}), err: crashed("it exited")}
	p := &plugin{starting: s}
	ends := make(chan error)
	for range 3 {
		go func() {
			_, err := p.enter(t.Context(), nobody{})
			ends <- err
		}()
	}
	close(s.done)
	bystanders := 0
	for range 3 {
		err := <-ends
		require.Equal(t, core.CodePluginCrashed, core.FailureOf(err).Code)
		if _, ok := errors.AsType[host.BystanderError](err); ok {
			bystanders++
		}
	}
	require.Equal(t, 2, bystanders)
}

func TestBackoffGrowsWhileNothingSucceeds(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b backoff
	require.Zero(t, b.wait(now))
	for _, want := range []time.Duration{0, firstDelay, 2 * firstDelay, 4 * firstDelay} {
		b.failed(now)
		require.Equal(t, want, b.wait(now))
		require.Zero(t, b.wait(now.Add(want)))
	}
	for range 100 {
		b.failed(now)
	}
	require.Equal(t, maxDelay, b.wait(now))
	b.succeeded()
	require.Zero(t, b.wait(now))
	b.failed(now)
	require.Zero(t, b.wait(now), "the first in a row")
}

// The handshake is found wherever it stands, in pieces of any size, and nothing
// of the rest is lost.
func TestHandshakeIsFoundInTheOutput(t *testing.T) {
	tests := map[string]struct{ text, line, rest string }{
		"alone":               {"1|1|unix|/s|grpc|\n", "1|1|unix|/s|grpc|\n", ""},
		"after output":        {"hello\n1|1|unix\nmore\n1|2|no\n", "1|1|unix\n", "hello\nmore\n1|2|no\n"},
		"nearly":              {"1|x|\nv1|1|\n1|1\n", "", "1|x|\nv1|1|\n1|1\n"},
		"after a long line":   {strings.Repeat("x", 5000) + "\n1|1|a\n", "1|1|a\n", strings.Repeat("x", 5000) + "\n"},
		"too long":            {"1|1|" + strings.Repeat("x", 5000) + "\n", "", "1|1|" + strings.Repeat("x", 5000) + "\n"},
		"long after the line": {"1|1|a\n" + strings.Repeat("x", 5000), "1|1|a\n", strings.Repeat("x", 5000)},
	}
	for name, test := range tests {
		for _, size := range []int{1, 7, 4096, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				var h handshake
				var r *io.PipeReader
				r, h.to = io.Pipe()
				line := make(chan string, 1)
				go func() {
					b, _ := io.ReadAll(r)
					line <- string(b)
				}()
				var rest strings.Builder
				for text := test.text; text != ""; {
					n := min(size, len(text))
					rest.Write(h.filter([]byte(text[:n])))
					text = text[n:]
				}
				require.NoError(t, h.to.Close())
				require.Equal(t, test.line, <-line)
				require.Equal(t, test.rest, rest.String())
			})
		}
	}
}

// A run gets what was written before it ended, however late the reader is.
func TestSettleDeliversWhatWasWritten(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	var got strings.Builder
	o, err := newOutput(r, func(p []byte) { got.Write(p) })
	require.NoError(t, err)
	for range 100 {
		_, err = w.WriteString("line\n")
		require.NoError(t, err)
		o.settle()
	}
	require.Equal(t, strings.Repeat("line\n", 100), got.String())
	require.NoError(t, w.Close())
	o.pump(t.Context())
}

// The filter knows the processor it was made for.
func TestFilterFitsTheKernel(t *testing.T) {
	f := newFilter(1, 2)
	require.Less(t, len(f), 4096)
	for at, i := range f {
		if i.Code&7 != unix.BPF_JMP {
			continue
		}
		require.Less(t, at+1+int(max(i.Jt, i.Jf)), len(f))
	}
	last := f[len(f)-1]
	require.EqualValues(t, seccompAllow, last.K)
}
