package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// run is one run in a process.
type run struct {
	process  *process
	caller   host.Caller
	grace    time.Duration
	computed time.Duration // guarded by process.mu

	stream  grpc.ClientStream
	sending sync.Mutex
	broken  chan error // an operation said that the run must end
}

// answer is how the conversation ended.
type answer struct {
	frame []byte
	err   error
}

func (p *plugin) newRun(proc *process, caller host.Caller) *run {
	return &run{process: proc, caller: caller, grace: p.runtime.cfg.Grace, broken: make(chan error, 1)}
}

// serve gives the request to the program and returns its response.
func (r *run) serve(ctx context.Context, request []byte) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx) // ends operations
	defer cancel(nil)
	streamed, hangUp := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the grace
	defer hangUp()

	done := make(chan answer, 1)
	go func() {
		frame, err := r.converse(ctx, streamed, request)
		done <- answer{frame, err}
	}()
	meter := newMeter(r.process.limits.CPU)
	defer meter.stop()
	defer func() {
		r.process.charge()
		r.caller.Computed(r.process.computed(r))
	}()
	for {
		select {
		case a := <-done:
			return r.conclude(ctx, a)
		case <-ctx.Done():
			return nil, r.end(context.Cause(ctx), cancel, hangUp, done)
		case err := <-r.broken:
			return nil, r.end(err, cancel, hangUp, done)
		case <-meter.ticks:
			if err := r.overCPU(); err != nil {
				return nil, r.end(err, cancel, hangUp, done)
			}
		}
	}
}

// conclude looks at what came back.
func (r *run) conclude(ctx context.Context, a answer) ([]byte, error) {
	r.process.charge()
	if err := r.overCPU(); a.err == nil && err != nil {
		return nil, err
	}
	if a.err == nil {
		return a.frame, nil
	}
	if _, ok := errors.AsType[*core.Failure](a.err); ok {
		return nil, a.err
	}
	if ctx.Err() != nil {
		r.process.kill("a run in it was cut off")
		return nil, context.Cause(ctx)
	}
	return nil, r.process.fault(a.err)
}

// end tells the program that the run is over. If it does not end it in time, the
// process is killed.
func (r *run) end(reason error, cancel context.CancelCauseFunc, hangUp func(), done <-chan answer) error {
	cancel(reason)
	go r.closeSend() // it may wait for an answer that is not read
	grace := time.NewTimer(r.grace)
	defer grace.Stop()
	select {
	case a := <-done:
		if a.err != nil {
			r.process.retire() // what the program still does is not known
		}
	case <-grace.C:
		r.process.kill("a run in it did not end when it was told to")
		hangUp()
		<-done
	}
	return reason
}

// converse sends the request and serves the program's calls until its response
// comes.
func (r *run) converse(ctx, streamed context.Context, request []byte) ([]byte, error) {
	desc := &grpc.StreamDesc{StreamName: wire.ProcessHandle, ServerStreams: true, ClientStreams: true}
	stream, err := r.process.conn.NewStream(streamed, desc, method(wire.ProcessHandle))
	if err != nil {
		return nil, err
	}
	r.sending.Lock()
	r.stream = stream
	if ctx.Err() != nil { // over before there was somebody to tell
		r.sending.Unlock()
		return nil, context.Cause(ctx)
	}
	err = stream.SendMsg(wrapperspb.Bytes(request))
	r.sending.Unlock()
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the reason is in what is received
		return nil, err
	}
	for {
		message, payload, err := r.receive()
		if err != nil {
			return nil, err
		}
		switch message.Kind {
		case wire.MessageCall:
			if err := r.call(ctx, message.Op, payload); err != nil {
				return nil, err
			}
		case wire.MessageResponse:
			return r.response(payload)
		case wire.MessagePanic:
			return nil, r.panicked(payload)
		default:
			r.process.kill("a run in it broke the protocol")
			return nil, misuse("sent a message of the unknown kind %.40q", message.Kind)
		}
	}
}

func (r *run) receive() (wire.Message, []byte, error) {
	var in wrapperspb.BytesValue
	var message wire.Message
	err := r.stream.RecvMsg(&in)
	switch {
	case errors.Is(err, io.EOF):
		return message, nil, misuse("ended the stream without a response")
	case status.Code(err) == codes.ResourceExhausted:
		r.process.retire()
		return message, nil, &core.Failure{
			Code: core.CodePluginOutputLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("sent a message of more than %s", host.Size(r.process.maxReceived())),
		}
	case err != nil:
		return message, nil, err
	}
	payload, err := wire.Decode(in.Value, &message)
	if err != nil {
		r.process.kill("a run in it broke the protocol")
		return message, nil, misuse("sent what is no message: %v", err)
	}
	return message, payload, nil
}

// call performs an operation. One that ends the run is not answered.
func (r *run) call(ctx context.Context, op string, in []byte) error {
	switch {
	case len(op) > maxOperation:
		return misuse("called an operation with a name of %d bytes, at most %d are allowed", len(op), maxOperation)
	case len(in) > wire.MaxArguments:
		return misuse("called an operation with %d bytes, at most %d are allowed", len(in), wire.MaxArguments)
	case ctx.Err() != nil:
		return nil
	}
	out, err := r.caller.Call(ctx, op, in)
	if err != nil {
		select {
		case r.broken <- err:
		default:
		}
		return nil
	}
	r.sending.Lock()
	defer r.sending.Unlock()
	if err := r.stream.SendMsg(wrapperspb.Bytes(out)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

const maxOperation = 64 // bytes of an operation's name

func (r *run) closeSend() {
	r.sending.Lock()
	defer r.sending.Unlock()
	if r.stream != nil {
		_ = r.stream.CloseSend()
	}
}

func (r *run) response(frame []byte) ([]byte, error) {
	if limit := r.process.limits.Output; host.Size(len(frame)) > limit {
		return nil, &core.Failure{
			Code: core.CodePluginOutputLimit, Class: core.ClassRetryable,
			Message: fmt.Sprintf("answered with %d bytes, more than %s (limit output)", len(frame), limit),
		}
	}
	return frame, nil
}

// panicked ends the run as a trap. The process takes no more runs: a panic may
// leave locks held and work half done.
func (r *run) panicked(text []byte) error {
	r.process.retire()
	r.caller.Output(host.Stderr, text)
	var crash host.CrashText
	crash.Add(text)
	return &core.Failure{Code: core.CodePluginTrap, Class: core.ClassRetryable, Message: crash.Reason()}
}

func (r *run) overCPU() error {
	limit := r.process.limits.CPU
	if limit == 0 {
		return nil
	}
	r.process.charge()
	if r.process.computed(r) <= limit {
		return nil
	}
	return &core.Failure{
		Code: core.CodePluginCPULimit, Class: core.ClassRetryable,
		Message: fmt.Sprintf("computed longer than %v (limit cpu)", limit),
	}
}

// meter says when to look at the processor time.
type meter struct {
	ticker *time.Ticker
	ticks  <-chan time.Time
}

func newMeter(limit time.Duration) meter {
	if limit == 0 {
		return meter{}
	}
	t := time.NewTicker(min(max(limit/10, 5*time.Millisecond), 100*time.Millisecond))
	return meter{ticker: t, ticks: t.C}
}

func (m meter) stop() {
	if m.ticker != nil {
		m.ticker.Stop()
	}
}

func method(name string) string { return "/" + wire.ProcessService + "/" + name }

// misuse is a breach of the protocol. It counts as a trap: the program is broken.
func misuse(format string, args ...any) error {
	return &core.Failure{Code: core.CodePluginTrap, Class: core.ClassRetryable, Message: fmt.Sprintf(format, args...)}
}
