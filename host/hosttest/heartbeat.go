package hosttest

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Silence runs f and returns the longest time for which a goroutine that wants
// to do something every millisecond did not come to it. That goroutine stands
// for all that a server has to do beside its plugins.
func Silence(f func()) time.Duration {
	var longest time.Duration
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for last := time.Now(); ; {
			time.Sleep(time.Millisecond)
			now := time.Now()
			longest = max(longest, now.Sub(last)-time.Millisecond)
			last = now
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return longest
}

// pulse is how long a server may be silent while it is attacked.
const pulse = 20 * time.Millisecond

// Pulse tells what silences a server from what silences every program on the
// machine: beside it runs a process that does nothing but measure that. It is
// for one goroutine.
type Pulse struct {
	ask    io.Writer
	answer *bufio.Scanner
}

// NewPulse starts the process, which ends with the test.
func NewPulse(t testing.TB) *Pulse {
	t.Helper()
	cmd := exec.Command(BuildProcess(t, "github.com/nexuscore/scheduler/host/hosttest/beat"))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
	})
	return &Pulse{in, bufio.NewScanner(out)}
}

// During runs an attack and returns for how long the server was silent, and for
// how long the process that does nothing was in the same time.
func (p *Pulse) During(t testing.TB, attack func()) (server, machine time.Duration) {
	t.Helper()
	p.machine(t)
	server = Silence(attack)
	return server, p.machine(t)
}

// machine is the longest silence since it was last asked for.
func (p *Pulse) machine(t testing.TB) (d time.Duration) {
	t.Helper()
	_, err := fmt.Fprintln(p.ask)
	require.NoError(t, err)
	require.True(t, p.answer.Scan())
	_, err = fmt.Sscan(p.answer.Text(), (*int64)(&d))
	require.NoError(t, err)
	return d
}

// Keeps demands that a server is not silent for more than 20 ms while it is
// attacked, beyond what the machine does in the same time to a program that does
// nothing. What the server itself does wrong happens in every attack, and what a
// busy machine does to one program and not to the other in some, so it has
// several tries; all figures are logged.
func (p *Pulse) Keeps(t testing.TB, attack func()) {
	t.Helper()
	const tries = 3
	for range tries {
		server, machine := p.During(t, attack)
		t.Logf("silent for %v, the machine for %v", server, machine)
		if server <= pulse+machine {
			return
		}
	}
	require.Fail(t, "the server stood still", "for more than %v beyond the machine's noise, in each of %d attacks", pulse, tries)
}
