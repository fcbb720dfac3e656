package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// ask is one request of a run.
type ask struct {
	wire.HTTPRequest
	Body string
}

// got is what a run learns of one request.
type got struct {
	wire.HTTPResponse
	Body  string
	Error *wire.Error
}

func get(url string) ask { return ask{HTTPRequest: wire.HTTPRequest{URL: url}} }

func send(method, url string) ask {
	return ask{HTTPRequest: wire.HTTPRequest{Method: method, URL: url}, Body: "body"}
}

func (a ask) with(name, value string) ask {
	headers := map[string][]string{name: {value}}
	for n, v := range a.Headers {
		headers[n] = v
	}
	a.Headers = headers
	return a
}

// visitor is a house whose plugin "x" makes requests, with names that lead to
// this machine.
type visitor struct {
	*house
	log  bytes.Buffer
	asks []ask
	seen []got // by the plugin, of the last run
	told spy
}

// newVisitor grants the lines, which stand below grants, and 127.0.0.1.
func newVisitor(t *testing.T, cfg host.EgressConfig, limits string, grants ...string) *visitor {
	t.Helper()
	v := &visitor{house: newHouse(t)}
	v.runtime.program("good").handle = v.handle
	v.list(t, append([]string{limits, "grants:", "  privateNetworks: [127.0.0.1/32]"}, indent(grants)...)...)
	if cfg.Resolver == nil {
		cfg.Resolver = hosttest.Resolver(func(string, int) string { return "127.0.0.1" })
	}
	v.Host = host.New(host.Config{
		Path:     filepath.Join(v.dir, "plugins.yaml"),
		Runtimes: map[string]host.Runtime{"fake": v.runtime},
		Egress:   cfg,
		Observer: &v.told,
		Environ:  func(name string) (string, bool) { value, ok := v.env[name]; return value, ok },
		Logger:   hclog.New(&hclog.LoggerOptions{Output: &v.log, Level: hclog.Trace}),
	})
	t.Cleanup(func() { require.NoError(t, v.Close(context.Background())) })
	v.load(t)
	require.Equal(t, core.PluginLoaded, v.status(t, "x").State, v.status(t, "x").Error)
	return v
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = "  " + line
	}
	return out
}

// handle makes the requests and ends with the first error.
func (v *visitor) handle(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
	v.seen = nil
	for _, a := range v.asks {
		in, err := wire.Encode(a.HTTPRequest, []byte(a.Body))
		if err != nil {
			return nil, err
		}
		out, err := caller.Call(ctx, wire.OpHTTP, in)
		if err != nil {
			return nil, err
		}
		var reply wire.Reply
		body, err := wire.Decode(out, &reply)
		if err != nil {
			return nil, err
		}
		g := got{Body: string(body), Error: reply.Error}
		v.seen = append(v.seen, g)
		if reply.Error != nil {
			return wire.Encode(wire.Response{Error: reply.Error}, nil)
		}
		if err := json.Unmarshal(reply.Value, &v.seen[len(v.seen)-1].HTTPResponse); err != nil {
			return nil, err
		}
	}
	return wire.Encode(wire.Response{}, nil)
}

// run makes requests in one run.
func (v *visitor) run(t *testing.T, asks ...ask) ([]got, *core.Failure) {
	t.Helper()
	v.asks = asks
	_, err := v.invoke(t, "x")
	if err == nil {
		return v.seen, nil
	}
	return v.seen, core.FailureOf(err)
}

// answer makes one request and demands an answer.
func (v *visitor) answer(t *testing.T, a ask) got {
	t.Helper()
	seen, f := v.run(t, a)
	require.Nil(t, f)
	return seen[0]
}

// refused makes one request and demands a failure.
func (v *visitor) refused(t *testing.T, code core.Code, a ask) *core.Failure {
	t.Helper()
	_, f := v.run(t, a)
	require.NotNil(t, f)
	require.Equal(t, code, f.Code, f.Message)
	return f
}

// logs ends the host and returns everything it logged.
func (v *visitor) logs(t *testing.T) string {
	t.Helper()
	require.NoError(t, v.Close(t.Context()))
	return v.log.String()
}

// site is a server that keeps the requests it gets.
type site struct {
	*httptest.Server
	port string

	mu   sync.Mutex
	hits []*http.Request
}

func newSite(t *testing.T, handle http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.hits = append(s.hits, r)
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	s.port = netip.MustParseAddrPort(s.Listener.Addr().String()).String()
	s.port = s.port[strings.LastIndex(s.port, ":"):]
	return s
}

// at is an address of the site by some name.
func (s *site) at(name, path string) string { return "http://" + name + s.port + path }

// grant covers the whole site under a name.
func (s *site) grant(names ...string) string {
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = `"` + s.at(name, "/**") + `"`
	}
	return "http: [" + strings.Join(patterns, ", ") + "]"
}

func (s *site) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}
