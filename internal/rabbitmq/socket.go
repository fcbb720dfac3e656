package rabbitmq

import (
	"net"
	"slices"
	"sync"
	"time"
)

// maxPending is how many bytes may wait to be sent before a Write waits, and
// maxPart how many are sent at a time.
const (
	maxPending = 256 << 10
	maxPart    = 32 << 10
)

// lastWords is how long a connection that is closed may still send.
const lastWords = 250 * time.Millisecond

// socket is a connection that sends what is written to it in few large pieces:
// the driver writes each message by itself, and hundreds of small packets cost the
// server more than what is in them. What is written is sent at once, by a goroutine
// of the socket, together with all that has come while it was sending.
//
// A peer that takes nothing for as long as timeout ends the connection: a full
// buffer towards one that is gone must not hold a publisher until the heartbeat
// fails.
type socket struct {
	net.Conn
	timeout time.Duration
	sent    chan struct{} // closed when nothing is sent any more

	mu      sync.Mutex
	changed sync.Cond
	pending []byte
	err     error // of all later Writes
}

func newSocket(conn net.Conn, timeout time.Duration) *socket {
	s := &socket{Conn: conn, timeout: timeout, sent: make(chan struct{})}
	s.changed.L = &s.mu
	go s.send()
	return s
}

// Write implements net.Conn. That it succeeds says only that there was room, as
// with any socket; a failure to send ends the connection.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) >= maxPending && s.err == nil {
		s.changed.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.pending = append(s.pending, p...)
	s.changed.Broadcast()
	return len(p), nil
}

// SetWriteDeadline implements net.Conn and does nothing: timeout bounds what is
// sent. TLS sets a deadline that has passed when it closes, and means its own
// Writes with that and not what waits here.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn, of reading.
func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// Close implements net.Conn. What was written is sent before, for no longer than
// lastWords.
func (s *socket) Close() error {
	s.end(net.ErrClosed)
	defer time.AfterFunc(lastWords, s.cut).Stop()
	<-s.sent
	return s.Conn.Close()
}

// cut ends the connection without a word; the driver notices.
func (s *socket) cut() { _ = s.Conn.Close() }

func (s *socket) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.changed.Broadcast()
}

func (s *socket) send() {
	defer close(s.sent)
	var piece []byte
	for {
		if piece = s.take(piece); len(piece) == 0 {
			return
		}
		if err := s.sendPiece(piece); err != nil {
			s.end(err)
			s.cut()
			return
		}
	}
}

func (s *socket) sendPiece(piece []byte) error {
	for part := range slices.Chunk(piece, maxPart) {
		slow := time.AfterFunc(s.timeout, s.cut)
		_, err := s.Conn.Write(part)
		slow.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// take waits for something to send and gives the room of the piece before back to
// what comes next. It returns nothing when all is sent and the socket has ended.
func (s *socket) take(before []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) == 0 && s.err == nil {
		s.changed.Wait()
	}
	piece := s.pending
	s.pending = before[:0]
	s.changed.Broadcast()
	return piece
}
