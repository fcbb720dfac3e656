//go:build linux

package main

import (
	"context"
	"encoding/json"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// babbler speaks gRPC and breaks the protocol above it, as its task data says.
type babbler struct {
	goplugin.NetRPCUnsupportedPlugin
}

func babble() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: wire.ProcessCookie, MagicCookieValue: wire.ProcessCookieValue},
		Plugins:         goplugin.PluginSet{"babbler": babbler{}},
		GRPCServer:      goplugin.DefaultGRPCServer,
	})
}

func (babbler) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: wire.ProcessService, HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: wire.ProcessHandle, Handler: babbleRun, ServerStreams: true, ClientStreams: true}},
	}, nil)
	return nil
}

func (babbler) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func babbleRun(_ any, stream grpc.ServerStream) error {
	var request wrapperspb.BytesValue
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	_, data, err := wire.Split(request.Value)
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	send := func(m wire.Message, payload string) error {
		frame, err := wire.Encode(m, []byte(payload))
		if err != nil {
			return err
		}
		return stream.SendMsg(wrapperspb.Bytes(frame))
	}
	switch o.Do {
	case "no frame":
		return stream.SendMsg(wrapperspb.Bytes([]byte{0xff}))
	case "unknown kind":
		return send(wire.Message{Kind: "song"}, "")
	case "long name":
		return send(wire.Message{Kind: wire.MessageCall, Op: strings.Repeat("x", 65)}, "")
	case "long arguments":
		return send(wire.Message{Kind: wire.MessageCall, Op: "log"}, strings.Repeat("x", wire.MaxArguments+1))
	case "status":
		return status.Error(codes.PermissionDenied, "go away")
	case "unread answers": // calls until the host has no room to answer
		for {
			if err := send(wire.Message{Kind: wire.MessageCall, Op: "config"}, "\x02\x00\x00\x00{}"); err != nil {
				return err
			}
		}
	}
	return nil // no response
}
