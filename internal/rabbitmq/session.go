package rabbitmq

import (
	"context"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// session is one connection from its handshake to its loss. The driver's calls
// know no deadline, so a session bounds them by closing the socket underneath.
type session struct {
	conn    *amqp.Connection
	socket  *socket
	timeout time.Duration
}

// connect makes a connection with its handshake, within the timeout or until
// ctx ends.
func connect(ctx context.Context, cfg Config, name string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	s := &session{timeout: cfg.Timeout}
	stopped := func() bool { return true }
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(cfg.Node + " " + name)
	conn, err := amqp.DialConfig(cfg.URL, amqp.Config{
		Heartbeat: cfg.Heartbeat, Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			s.socket = newSocket(c, cfg.Timeout)
			stopped = context.AfterFunc(ctx, s.socket.cut)
			return s.socket, nil
		},
	})
	if err == nil && !stopped() {
		err = ctx.Err() // cut at the last moment
	}
	if err != nil {
		stopped()
		if s.socket != nil { // the driver leaves it open when it fails before its handshake
			_ = s.socket.Close()
		}
		return nil, err
	}
	s.conn = conn
	return s, nil
}

// call makes a request. When it is not answered in time the connection ends,
// and so does the request.
func (s *session) call(request func() error) error {
	defer time.AfterFunc(s.timeout, s.socket.cut).Stop()
	return request()
}

// channel opens a channel.
func (s *session) channel() (ch *amqp.Channel, err error) {
	err = s.call(func() error {
		ch, err = s.conn.Channel()
		return err
	})
	return ch, err
}

// closeChannel ends a channel; its loss is no news to anybody.
func (s *session) closeChannel(ch *amqp.Channel) { _ = s.call(ch.Close) }

// ping makes a round trip.
func (s *session) ping() error {
	ch, err := s.channel()
	if err == nil {
		s.closeChannel(ch)
	}
	return err
}

func (s *session) version() string {
	v, _ := s.conn.Properties["version"].(string)
	return v
}

func (s *session) close() { _ = s.call(s.conn.Close) }
