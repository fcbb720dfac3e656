package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// plugin is a program that processes are made of. It implements host.Plugin and
// host.Confined.
type plugin struct {
	runtime *Runtime
	image   *os.File
	order   order // without what each process adds
	limits  host.Limits
	perRun  bool
	logger  hclog.Logger
	alive   sync.WaitGroup  // processes and starts
	life    context.Context // ends when the plugin is closed, and kills its processes
	end     context.CancelFunc

	mu       sync.Mutex
	closed   bool
	current  *process  // nil until one is wanted
	starting *starting // the start under way
	backoff  backoff
}

// starting is a start that several runs wait for.
type starting struct {
	done   chan struct{} // closed when err is set
	err    error
	blamed atomic.Bool // a run has been told that the start failed
}

// failure is what a run is told that waited for a start that failed. The plugin
// has failed once, not once for each run that waited.
func (s *starting) failure() error {
	if _, ok := errors.AsType[host.NotBegunError](s.err); ok {
		return s.err // the plugin has not failed
	}
	if f, ok := errors.AsType[*core.Failure](s.err); ok && s.blamed.Swap(true) {
		return host.BystanderError{Failure: f}
	}
	return s.err
}

var errClosed = errors.New("the plugin is closed")

// Describe implements host.Plugin.
func (p *plugin) Describe(ctx context.Context) ([]byte, error) {
	var out wrapperspb.BytesValue
	err := p.in(ctx, nobody{}, func(r *run) error {
		err := r.process.conn.Invoke(ctx, method(wire.ProcessDescribe), new(wrapperspb.BytesValue), &out, grpc.MaxCallRecvMsgSize(maxManifest))
		switch {
		case err == nil || status.Code(err) == codes.Unimplemented:
			return nil
		case ctx.Err() != nil:
			r.process.kill("it did not describe itself in time")
			return context.Cause(ctx)
		}
		return r.process.fault(err)
	})
	if err != nil || len(out.Value) == 0 {
		return nil, err
	}
	return out.Value, nil
}

const maxManifest = 2 << 20 // the host reads half of it

// nobody is the caller while there is no run.
type nobody struct{}

func (nobody) Call(context.Context, string, []byte) ([]byte, error) { return nil, errClosed }

func (nobody) Output(host.Stream, []byte) {}

// Computed implements host.Caller.
func (nobody) Computed(time.Duration) {}

// Handle implements host.Plugin.
func (p *plugin) Handle(ctx context.Context, request []byte, caller host.Caller) (frame []byte, err error) {
	err = p.in(ctx, caller, func(r *run) error {
		frame, err = r.serve(ctx, request)
		return err
	})
	if err == nil {
		p.succeeded()
	}
	return frame, err
}

// Close implements host.Plugin. It waits until all processes have ended.
func (p *plugin) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	proc := p.current
	p.mu.Unlock()
	if proc != nil {
		proc.kill("the plugin was closed")
	}
	p.end()
	done := make(chan struct{})
	go func() {
		p.alive.Wait()
		_ = p.image.Close() // only memory
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close process plugin: a process has not ended: %w", ctx.Err())
	}
}

// Confinement implements host.Confined.
func (p *plugin) Confinement() map[string]string { return p.runtime.confinement.words() }

// in calls f with a run in a process.
func (p *plugin) in(ctx context.Context, caller host.Caller, f func(*run) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r, err := p.enter(ctx, caller)
	if err != nil {
		return err
	}
	defer func() {
		r.process.leave(r)
		if p.perRun {
			r.process.kill("its run is over")
		}
	}()
	return f(r)
}

// enter finds a process for a run, or starts one.
func (p *plugin) enter(ctx context.Context, caller host.Caller) (*run, error) {
	if p.perRun {
		return p.enterOwn(ctx, caller)
	}
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed
		}
		if p.current != nil {
			r := p.newRun(p.current, caller)
			if p.current.join(r) {
				p.mu.Unlock()
				return r, nil
			}
			p.bury(p.current)
		}
		start, err := p.start()
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-start.done:
			if start.err != nil {
				return nil, start.failure()
			}
		case <-ctx.Done():
			return nil, host.NotBegunError{Err: context.Cause(ctx)}
		}
	}
}

// enterOwn starts a process for one run.
func (p *plugin) enterOwn(ctx context.Context, caller host.Caller) (*run, error) {
	p.mu.Lock()
	err := p.allowed()
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	proc, err := p.launch(ctx)
	if err != nil {
		if ctx.Err() == nil {
			err = p.failed(err)
		}
		return nil, err
	}
	p.alive.Go(proc.close)
	r := p.newRun(proc, caller)
	if !proc.join(r) {
		return nil, proc.fault(status.Error(codes.Unavailable, "ended after its start"))
	}
	return r, nil
}

// start begins a start, or returns the one under way. The lock is held.
func (p *plugin) start() (*starting, error) {
	if p.starting != nil {
		return p.starting, nil
	}
	if err := p.allowed(); err != nil {
		return nil, err
	}
	s := &starting{done: make(chan struct{})}
	p.starting = s
	p.alive.Go(func() {
		// No run's context: the next run wants the process, too.
		proc, err := p.launch(p.life)
		if err != nil {
			err = p.failed(err)
		}
		p.mu.Lock()
		p.current, p.starting, s.err = proc, nil, err
		closed := p.closed
		p.mu.Unlock()
		close(s.done)
		if proc == nil {
			return
		}
		if closed {
			proc.kill("the plugin was closed")
		}
		proc.close()
		p.mu.Lock()
		p.bury(proc)
		p.mu.Unlock()
	})
	return s, nil
}

// allowed refuses starts while the program keeps failing. The lock is held.
func (p *plugin) allowed() error {
	if p.closed {
		return errClosed
	}
	if wait := p.backoff.wait(p.runtime.cfg.Clock.Now()); wait > 0 {
		return host.NotBegunError{Err: &core.Failure{
			Code: core.CodePluginUnavailable, Class: core.ClassRetryable, RetryAfter: wait,
			Message: fmt.Sprintf("the plugin's process failed %d times in a row; it is started again in %v", p.backoff.failures, wait.Round(time.Millisecond)),
		}}
	}
	return nil
}

// bury forgets a process that takes no more runs, and counts it if it ended by
// itself. Whoever sees it first does so. The lock is held.
func (p *plugin) bury(proc *process) {
	if p.current != proc {
		return
	}
	p.current = nil
	if proc.hasEnded() && proc.killedFor() == "" {
		_ = p.count(errors.New(proc.command.status))
	}
}

// failed counts a start that failed and says it in the words of an execution.
func (p *plugin) failed(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count(err)
}

// count counts a failure. The lock is held.
func (p *plugin) count(err error) error {
	if p.closed {
		return errClosed
	}
	p.backoff.failed(p.runtime.cfg.Clock.Now())
	p.logger.Warn("the plugin's process failed", "reason", err, "failures", p.backoff.failures)
	if _, ok := errors.AsType[unstartedError](err); ok {
		return host.NotBegunError{Err: &core.Failure{Code: core.CodePluginUnavailable, Class: core.ClassRetryable, Message: err.Error()}}
	}
	return crashed(err.Error())
}

func (p *plugin) succeeded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backoff.succeeded()
}

var (
	_ host.Plugin   = (*plugin)(nil)
	_ host.Confined = (*plugin)(nil)
)
