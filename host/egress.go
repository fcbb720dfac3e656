package host

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

const (
	maxRedirects       = 5
	maxRequestTimeout  = 5 * time.Minute
	maxResponseHeaders = 64 << 10 // bytes
)

// EgressConfig is how the host makes HTTP requests for plugins. The zero value
// is fit for use.
type EgressConfig struct {
	// Resolver looks up the names of hosts. Defaults to the system's.
	Resolver *net.Resolver

	// RootCAs are the authorities that servers' certificates must come from.
	// Defaults to the system's.
	RootCAs *x509.CertPool

	// ConnectTimeout bounds the connecting, and then again the TLS handshake.
	// Defaults to 10 seconds.
	ConnectTimeout time.Duration

	// HeaderTimeout bounds the wait for the beginning of an answer. Defaults to 1
	// minute.
	HeaderTimeout time.Duration

	// Timeout bounds a request with all its redirects where the plugin sets no
	// time. What a plugin may set is 5 minutes at most. Defaults to 30 seconds.
	Timeout time.Duration

	// Clock tells how long a server that asked for patience is left alone.
	// Defaults to core.SystemClock.
	Clock core.Clock
}

func (c EgressConfig) withDefaults() EgressConfig {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.ConnectTimeout, 10 * time.Second}, {&c.HeaderTimeout, time.Minute}, {&c.Timeout, 30 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	if c.Clock == nil {
		c.Clock = core.SystemClock{}
	}
	return c
}

// egress makes the HTTP requests of all plugins and keeps their connections. It
// is safe for concurrent use.
type egress struct {
	cfg     EgressConfig
	buckets *buckets
	invalid *invalidRequests

	mu         sync.Mutex
	transports map[string]*http.Transport // by the private networks that they may dial
}

func newEgress(cfg EgressConfig) *egress {
	return &egress{cfg: cfg.withDefaults(), buckets: newBuckets(), invalid: newInvalidRequests(), transports: map[string]*http.Transport{}}
}

// transport returns the connections of those plugins that may dial the same
// private networks. A connection that one of them may have must not be found by
// another one that may not.
func (e *egress) transport(private []netip.Prefix) *http.Transport {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := fmt.Sprint(private)
	t, ok := e.transports[key]
	if !ok {
		t = e.newTransport(private)
		e.transports[key] = t
	}
	return t
}

func (e *egress) newTransport(private []netip.Prefix) *http.Transport {
	d := dialler{resolver: e.cfg.Resolver, timeout: e.cfg.ConnectTimeout, private: private}
	return &http.Transport{
		Proxy:                  nil, // a proxy would dial what is checked here
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.cfg.RootCAs},
		TLSHandshakeTimeout:    e.cfg.ConnectTimeout,
		ResponseHeaderTimeout:  e.cfg.HeaderTimeout,
		MaxResponseHeaderBytes: maxResponseHeaders,
		DisableCompression:     true, // readBody decompresses, within bounds
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
	}
}

// close ends the connections that are kept open. Nothing may run any more.
func (e *egress) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.transports {
		t.CloseIdleConnections()
	}
}
