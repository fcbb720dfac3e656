package process

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// process is a running plugin. Its methods are safe for concurrent use.
type process struct {
	command *command
	conn    *grpc.ClientConn
	limits  host.Limits
	logger  hclog.Logger
	blamed  atomic.Bool // a run has been told that it crashed

	mu      sync.Mutex
	runs    []*run // what is in it now
	retired bool   // takes no more runs, and is killed when the last one ends
	reason  string // why the host killed it
	crash   host.CrashText
	metered time.Duration // processor time that was charged
}

// launch starts a process and waits until it can be called. It returns soon
// after ctx ends. When it fails, nothing is left of the process.
func (p *plugin) launch(ctx context.Context) (*process, error) {
	limit := p.runtime.cfg.StartTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it could not be called within %v", limit))
	defer cancel()
	proc := &process{limits: p.limits, logger: p.logger}
	client := p.newClient(proc)
	stop := context.AfterFunc(ctx, proc.interrupt)
	address, err := client.Start()
	if err == nil {
		err = proc.connect(address)
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, proc.failedStart(ctx, err)
	}
	proc.metered = proc.processorTime()
	return proc, nil
}

// newClient makes what starts the process. go-plugin keeps it for one process.
func (p *plugin) newClient(proc *process) *goplugin.Client {
	return goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: wire.ABI, MagicCookieKey: wire.ProcessCookie, MagicCookieValue: wire.ProcessCookieValue,
		},
		Plugins:          goplugin.PluginSet{},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     2 * p.runtime.cfg.StartTimeout, // launch's is the one that counts
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.runtime.dir.path},
		Logger:           hclog.NewNullLogger(),
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			cmd.Path, cmd.Args = "/proc/self/exe", []string{"plugin"}
			cmd.Env = append(cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", p.limits.Memory))
			cmd.Err = nil // about the path that go-plugin did not set
			cmd.ExtraFiles = []*os.File{p.image}
			command := newCommand(cmd, dir, p.order, p.runtime.thread, proc.write)
			unbind := context.AfterFunc(p.life, command.kill)
			p.alive.Go(func() { <-command.ended; unbind() })
			return command, proc.adopt(command)
		},
	})
}

// adopt takes the command, unless the start was interrupted before.
func (p *process) adopt(c *command) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command = c
	if p.retired {
		c.kill()
	}
	return nil
}

// interrupt ends the start.
func (p *process) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	if p.command != nil {
		p.command.kill()
	}
}

// connect closes the directory, in which the plugin has all it needs, and makes
// the connection. It is not go-plugin's, which would serve the plugin, too: a
// broker and copies of its output, neither with a limit.
func (p *process) connect(address net.Addr) error {
	if err := os.Chmod(p.command.dir, 0o500); err != nil { //nolint:gosec // a directory
		return unstarted(err)
	}
	var err error
	p.conn, err = grpc.NewClient("passthrough:///plugin",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the socket is in a directory that is the plugin's alone
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", address.String())
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(p.maxReceived())),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
		grpc.WithMaxHeaderListSize(16<<10),
	)
	return err
}

const envelope = 4 << 10 // bytes of a message around its payload

// maxReceived is the longest message that is taken from the plugin.
func (p *process) maxReceived() int { return max(int(p.limits.Output), wire.MaxArguments) + envelope }

// failedStart cleans up after a start and says why it failed. The words of an
// end that came by itself are the host's: go-plugin's tell about its inside.
func (p *process) failedStart(ctx context.Context, err error) error {
	if p.command == nil { // not even a directory for it
		return unstarted(err)
	}
	p.command.kill()
	p.close()
	switch {
	case !p.command.began():
		return unstarted(p.command.obstacle(ctx, err))
	case p.command.endedByItself():
		return fmt.Errorf("start plugin: %s", withText("it "+p.command.status+" before it could be called", p.crash.Reason()))
	case ctx.Err() != nil:
		return fmt.Errorf("start plugin: %w", context.Cause(ctx))
	}
	return fmt.Errorf("start plugin: %w", err)
}

// lateExit is how long the end of a process may be behind the end of its
// connection.
const lateExit = 500 * time.Millisecond

// join adds a run, unless the process takes none.
func (p *process) join(r *run) bool {
	p.charge()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired || p.hasEnded() {
		return false
	}
	p.runs = append(p.runs, r)
	return true
}

// leave takes a run out, with what the process has written until now.
func (p *process) leave(r *run) {
	p.charge()
	p.command.settle()
	p.mu.Lock()
	p.runs = slices.DeleteFunc(p.runs, func(other *run) bool { return other == r })
	idle := len(p.runs) == 0
	if idle && !p.hasEnded() {
		p.crash = host.CrashText{} // what was written until now was about no crash
	}
	last := p.retired && idle
	p.mu.Unlock()
	if last {
		p.kill("it was replaced")
	}
}

// retire lets no more runs in. What is in goes on.
func (p *process) retire() {
	p.mu.Lock()
	p.retired = true
	idle := len(p.runs) == 0
	p.mu.Unlock()
	if idle {
		p.kill("it was replaced")
	}
}

// kill ends the process, with all that is in it. The first reason counts.
func (p *process) kill(reason string) {
	p.mu.Lock()
	p.retired = true
	if p.reason == "" {
		p.reason = reason
	}
	p.mu.Unlock()
	p.command.kill()
}

// close waits for the end and releases the connection.
func (p *process) close() {
	<-p.command.ended
	if p.conn != nil {
		_ = p.conn.Close()
	}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.command.ended:
		return true
	default:
		return false
	}
}

// killedFor returns why the host has killed the process, "" when it did not.
func (p *process) killedFor() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// write passes on what the process writes. It has one output for all runs, so
// each of those that are in it gets it.
func (p *process) write(stream host.Stream, text []byte) {
	if len(text) == 0 {
		return
	}
	p.mu.Lock()
	if stream == host.Stderr {
		p.crash.Add(text)
	}
	runs := slices.Clone(p.runs)
	p.mu.Unlock()
	for _, r := range runs {
		r.caller.Output(stream, text)
	}
	if len(runs) == 0 && p.logger.IsDebug() {
		p.logger.Debug("plugin output outside of runs", "stream", stream, "text", string(text))
	}
}

func (p *process) crashReason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crash.Reason()
}

func (p *process) outOfMemory() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crash.OutOfMemory()
}

// charge shares the processor time since the last charge among the runs.
func (p *process) charge() {
	if p.limits.CPU == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.processorTime()
	if n := len(p.runs); n > 0 && now > p.metered {
		for _, r := range p.runs {
			r.computed += (now - p.metered) / time.Duration(n)
		}
	}
	p.metered = max(p.metered, now)
}

// computed returns what a run was charged.
func (p *process) computed(r *run) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.computed
}

// processorTime is what all threads of the process have used, 0 once it has
// ended.
func (p *process) processorTime() time.Duration {
	const allThreads = 2 // CPUCLOCK_SCHED of a process; see clock_getcpuclockid(3)
	clock := int32(^p.command.cmd.Process.Pid)<<3 | allThreads
	var t unix.Timespec
	if unix.ClockGettime(clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func withText(what, text string) string {
	if text == "" {
		return what
	}
	return what + ": " + text
}
