// Package faultproxy stands between a test and a server and breaks the
// connections on demand. Only tests use it.
package faultproxy

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy passes TCP connections through to one server. It is safe for concurrent
// use. Its zero value is not useful; Start makes one.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup
	asked    atomic.Int64 // bytes that clients have sent

	mu      sync.Mutex
	conns   map[net.Conn]bool // whether it is a client's
	refuse  bool
	swallow chan struct{} // not nil: bytes wait until it is closed
	delay   time.Duration
	closed  bool
}

// Start listens on a free port of the loopback interface and passes what comes
// to target, a host and port.
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: listener, conns: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the host and port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends all connections and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = true
	p.dropAll()
}

// Drop ends all connections; new ones are welcome.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropAll()
}

// Blackhole lets connections stand and passes nothing on until Heal. New ones
// are accepted and get no answer either.
func (p *Proxy) Blackhole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.swallow == nil {
		p.swallow = make(chan struct{})
	}
}

// Slow delays every chunk of bytes, each way.
func (p *Proxy) Slow(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// Tell writes to every client as if the server had. The connections must be
// idle, or the words end up in the middle of others.
func (p *Proxy) Tell(words []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, client := range p.conns {
		if !client {
			continue
		}
		if _, err := c.Write(words); err != nil {
			return err
		}
	}
	return nil
}

// Heal ends every trouble. What a blackhole held back is passed on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse, p.delay = false, 0
	p.release()
}

// Close ends the proxy and all connections, and waits for them.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.release()
	p.dropAll()
	p.mu.Unlock()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// release lets held bytes go. The caller holds mu.
func (p *Proxy) release() {
	if p.swallow != nil {
		close(p.swallow)
		p.swallow = nil
	}
}

// dropAll ends all connections. The caller holds mu.
func (p *Proxy) dropAll() {
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.add(client, true) {
			_ = client.Close()
			continue
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// add remembers a connection, unless connections are refused.
func (p *Proxy) add(c net.Conn, client bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.closed {
		return false
	}
	p.conns[c] = client
	return true
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil || !p.add(server, false) {
		if err == nil {
			_ = server.Close()
		}
		_ = client.Close()
		return
	}
	p.running.Go(func() { p.pass(server, client, new(atomic.Int64)) })
	p.pass(client, server, &p.asked)
}

// Asked returns how many bytes clients have sent so far.
func (p *Proxy) Asked() int64 { return p.asked.Load() }

// pass moves bytes one way until either end is closed, and counts them.
func (p *Proxy) pass(from, to net.Conn, count *atomic.Int64) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
		p.mu.Lock()
		delete(p.conns, from)
		delete(p.conns, to)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.hold()
		count.Add(int64(n))
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits for as long as the trouble of the moment demands.
func (p *Proxy) hold() {
	p.mu.Lock()
	swallow, delay := p.swallow, p.delay
	p.mu.Unlock()
	if swallow != nil {
		<-swallow
	}
	if delay > 0 {
		<-time.After(delay)
	}
}
