//go:build !wasip1

package sdk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// maxReceived bounds what the host may send in one message, in bytes.
const maxReceived = wire.MaxArguments + 1<<20

func startedByScheduler() bool { return os.Getenv(wire.ProcessCookie) == wire.ProcessCookieValue }

// serveProcess serves runs until the process is killed.
func serveProcess(p *Plugin) {
	s := &processServer{plugin: p, stdout: os.Stdout, stderr: os.Stderr}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: wire.ABI, MagicCookieKey: wire.ProcessCookie, MagicCookieValue: wire.ProcessCookieValue,
		},
		Plugins: goplugin.PluginSet{wire.ProcessService: s},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(maxReceived))...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Error, Output: os.Stderr}),
	})
	os.Exit(1) // it does not return while the host wants it
}

// processServer is the gRPC service of a plugin.
type processServer struct {
	goplugin.NetRPCUnsupportedPlugin
	plugin         *Plugin
	stdout, stderr *os.File // as they were at the start
	settled        sync.Once
}

// GRPCServer implements goplugin.GRPCPlugin.
func (s *processServer) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: wire.ProcessService,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: wire.ProcessDescribe, Handler: s.describe}},
		Streams:     []grpc.StreamDesc{{StreamName: wire.ProcessHandle, Handler: s.handle, ServerStreams: true, ClientStreams: true}},
	}, s)
	return nil
}

// GRPCClient implements goplugin.GRPCPlugin. A plugin has no client side.
func (s *processServer) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("sdk: a plugin is no client")
}

// settle gives the handler the world that docs/plugins.md promises: no
// environment, and standard streams that the host reads. go-plugin has read the
// one and replaced the other by the time of the first request.
func (s *processServer) settle() {
	s.settled.Do(func() {
		os.Clearenv()
		os.Stdout, os.Stderr = s.stdout, s.stderr
	})
}

func (s *processServer) describe(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	s.settle()
	if err := decode(new(wrapperspb.BytesValue)); err != nil {
		return nil, err
	}
	return wrapperspb.Bytes(Describe(s.plugin)), nil
}

// handle serves one run.
func (s *processServer) handle(_ any, stream grpc.ServerStream) error {
	s.settle()
	var request wrapperspb.BytesValue
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	h := &processHost{ctx: ctx, stream: stream, answers: make(chan []byte, 1)}
	go h.listen(cancel)
	defer func() {
		if text, panicked := h.panicText(recover()); panicked {
			_ = h.end(wire.MessagePanic, text) // a host that is gone needs no text
		}
	}()
	return h.end(wire.MessageResponse, serve(ctx, s.plugin, request.Value, h))
}

// processHost reaches the host through the stream of one run.
type processHost struct {
	ctx     context.Context // ends when the host cancels the run
	stream  grpc.ServerStream
	answers chan []byte

	calling sync.Mutex // keeps a call and its answer together
	sending sync.Mutex
	over    bool // the last message is sent; guarded by sending
}

var errRunOver = errors.New("the run is over")

// Call implements Caller.
func (h *processHost) Call(op string, in []byte) ([]byte, error) {
	h.calling.Lock()
	defer h.calling.Unlock()
	if err := h.send(wire.Message{Kind: wire.MessageCall, Op: op}, in, false); err != nil {
		return nil, err
	}
	select {
	case answer := <-h.answers:
		return answer, nil
	case <-h.ctx.Done():
		return nil, errRunOver
	}
}

// listen takes answers until the host closes its side.
func (h *processHost) listen(cancel context.CancelFunc) {
	defer cancel()
	for {
		var answer wrapperspb.BytesValue
		if h.stream.RecvMsg(&answer) != nil {
			return
		}
		select {
		case h.answers <- answer.Value:
		case <-h.ctx.Done():
			return
		}
	}
}

// end sends the last message of the run.
func (h *processHost) end(kind wire.MessageKind, payload []byte) error {
	return h.send(wire.Message{Kind: kind}, payload, true)
}

func (h *processHost) send(m wire.Message, payload []byte, last bool) error {
	frame, err := wire.Encode(m, payload)
	if err != nil {
		return err
	}
	h.sending.Lock()
	defer h.sending.Unlock()
	if h.over {
		return errRunOver
	}
	h.over = last
	return h.stream.SendMsg(wrapperspb.Bytes(frame))
}

// panicText renders a panic as the Go runtime does. A handler that ended its
// goroutine without answering counts as one.
func (h *processHost) panicText(value any) (text []byte, panicked bool) {
	h.sending.Lock()
	defer h.sending.Unlock()
	if value == nil {
		return []byte("panic: the handler called runtime.Goexit"), !h.over
	}
	return fmt.Appendf(nil, "panic: %v\n\n%s", value, debug.Stack()), true
}

var _ goplugin.GRPCPlugin = (*processServer)(nil)
