package host_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// echo writes what arrived.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
}

// redirecting leads from /<status> to the address in the query.
func redirecting(w http.ResponseWriter, r *http.Request) {
	var status int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
		echo(w, r)
		return
	}
	w.Header().Set("Location", r.URL.Query().Get("to"))
	w.WriteHeader(status)
}

// The environment names a proxy, which would be asked for these names.
func TestRequestsReachTheServer(t *testing.T) {
	s := newSite(t, echo)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
	g := v.answer(t, send("PUT", s.at("A.test", "/x/../y%20z?q=1 2#fragment")).with("X-Own", "1"))
	require.Equal(t, "PUT /y%20z?q=1%202 body", g.Body)
	require.Equal(t, []any{200, s.at("a.test", "/y%20z?q=1%202")}, []any{g.Status, g.URL})
	r := s.requests()[0]
	require.Equal(t, []string{"1", "NexusCore-Scheduler", "a.test" + s.port}, []string{r.Header.Get("X-Own"), r.UserAgent(), r.Host})
}

func TestRedirects(t *testing.T) {
	s := newSite(t, redirecting)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test", "b.test", "127.0.0.2"))
	to := func(status int, target string) string {
		return s.at("a.test", fmt.Sprintf("/%d?to=%s", status, target))
	}
	for name, test := range map[string]struct {
		ask  ask
		want string
	}{
		"302 get":              {get(to(302, "/end")), "GET /end "},
		"302 post":             {send("POST", to(302, "/end")), "GET /end "},
		"301 put":              {send("PUT", to(301, "/end")), "PUT /end body"},
		"303 put":              {send("PUT", to(303, "/end")), "GET /end "},
		"307 post":             {send("POST", to(307, "/end")), "POST /end body"},
		"308 to another host":  {send("POST", to(308, s.at("b.test", "/end"))), "POST /end body"},
		"relative":             {get(to(302, "./a/../z")), "GET /z "},
		"no target":            {get(to(302, "")), ""},
		"a secret is no text":  {get(to(302, "/%7B%7Bsecret:x%7D%7D")), "GET /%7B%7Bsecret:x%7D%7D "},
		"304 is no redirect":   {get(to(304, "/end")), ""},
		"no redirects, please": {ask{HTTPRequest: wire.HTTPRequest{URL: to(302, "/end"), Redirects: new(false)}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, v.answer(t, test.ask).Body)
		})
	}
	for name, test := range map[string]struct{ target, want string }{
		"another host":      {"http://c.test" + s.port + "/x", "a redirect leads to GET http://c.test" + s.port + "/x, which is not granted"},
		"another port":      {"http://b.test/x", "which is not granted"},
		"another scheme":    {"https://b.test" + s.port + "/x", "which is not granted"},
		"a private address": {s.at("127.0.0.2", "/"), "127.0.0.2 is not public"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, v.refused(t, core.CodePluginDenied, get(to(302, test.target))).Message, test.want)
		})
	}
	for name, target := range map[string]string{"a password": "http://u:p@b.test" + s.port, "a file": "file:///etc/passwd", "nonsense": "http://%2525"} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, core.ClassPermanent, v.refused(t, core.CodeExecutionFailed, get(to(302, target))).Class)
		})
	}
}

func TestRedirectsEnd(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if n := len(r.URL.Path); n > 1 {
			http.Redirect(w, r, r.URL.Path[:n-1], http.StatusFound)
			return
		}
		echo(w, r)
	})
	v := newVisitor(t, host.EgressConfig{}, "limits: {httpRequests: 7}", s.grant("a.test"))
	require.Equal(t, "GET / ", v.answer(t, get(s.at("a.test", "/12345"))).Body)
	require.Contains(t, v.refused(t, core.CodeExecutionFailed, get(s.at("a.test", "/123456"))).Message, "more than 5 redirects")
	_, f := v.run(t, get(s.at("a.test", "/123")), get(s.at("a.test", "/123")))
	require.Equal(t, core.CodePluginEgressLimit, f.Code, "every hop counts")
}

func TestCredentialsStayWithTheirServer(t *testing.T) {
	s := newSite(t, redirecting)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test", "b.test"), "secrets: [token]")
	v.env["SECRET_TOKEN"] = "canary-secret"
	ask := func(target string) ask {
		return send("POST", s.at("a.test", "/307?to="+target)).with("authorization", "plain").with("Cookie", "c=1").with("X-Key", "{{secret:token}}").
			with("Idempotency-Key", "{{secret:token}}").with("X-Other", "kept")
	}
	v.answer(t, ask("/end"))
	same := s.requests()[1].Header
	require.Equal(t, []string{"plain", "c=1", "canary-secret", "canary-secret", "kept"},
		[]string{same.Get("Authorization"), same.Get("Cookie"), same.Get("X-Key"), same.Get("Idempotency-Key"), same.Get("X-Other")})
	v.answer(t, ask(s.at("b.test", "/307?to="+s.at("a.test", "/end"))))
	for _, r := range s.requests()[3:5] { // not even when it leads back
		require.Empty(t, r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("X-Key")+r.Header.Get("Idempotency-Key"))
		require.Equal(t, "kept", r.Header.Get("X-Other"))
	}
}

// A name that is granted at one look and private at the next one never leads
// inside, in whatever order. The plugin may dial 127.0.0.2, where nothing
// listens; the server is at 127.0.0.1.
func TestRebinding(t *testing.T) {
	s := newSite(t, echo)
	for first := range 2 {
		looks := 0
		v := newVisitor(t, host.EgressConfig{ConnectTimeout: 20 * time.Millisecond, Resolver: hosttest.Resolver(func(_ string, look int) string {
			looks = look
			if look%2 == first {
				return "127.0.0.2"
			}
			return "127.0.0.1"
		})}, "", s.grant("rebind.test"))
		v.list(t, "grants: {"+s.grant("rebind.test")+", privateNetworks: [127.0.0.2/32]}")
		require.NoError(t, v.Reload(t.Context()))
		for range 4 {
			_, f := v.run(t, get(s.at("rebind.test", "/")))
			require.NotNil(t, f)
		}
		require.GreaterOrEqual(t, looks, 4)
		require.Empty(t, s.requests())
	}
}

func TestANameThatIsPrivateIsRefused(t *testing.T) {
	s := newSite(t, echo)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
	v.answer(t, get(s.at("a.test", "/"))) // leaves a connection that must not be found below
	v.list(t, "grants: {"+s.grant("a.test", "127.0.0.1", "[::ffff:127.0.0.1]")+"}")
	require.NoError(t, v.Reload(t.Context()))
	for _, name := range []string{"a.test", "127.0.0.1", "[::ffff:127.0.0.1]"} {
		f := v.refused(t, core.CodePluginDenied, get(s.at(name, "/")))
		require.Contains(t, f.Message, `"127.0.0.1/32", to the plugin's grants.privateNetworks`)
	}
	require.Len(t, s.requests(), 1)
}

func TestRequestsThatAreWrong(t *testing.T) {
	s := newSite(t, echo)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
	url := s.at("a.test", "/")
	for name, a := range map[string]ask{
		"method": send("CONNECT", url), "lower case": send("get", url), "scheme": get("ftp://a.test/"),
		"host": get(url).with("Host", "b.test"), "length": get(url).with("content-length", "5"), "underscores": get(url).with("Transfer_Encoding", "chunked"),
		"override": send("POST", url).with("X-HTTP-Method-Override", "DELETE"), "proxy": get(url).with("Proxy-Authorization", "x"),
		"name": get(url).with("a b", "x"), "line break": get(url).with("X-A", "b\r\nX-C: d"),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, core.ClassPermanent, v.refused(t, core.CodeExecutionFailed, a).Class)
		})
	}
	f := v.refused(t, core.CodePluginDenied, send("POST", "https://b.test/p?q=canary"))
	require.Equal(t, core.ClassDenied, f.Class)
	require.Contains(t, f.Message, "POST https://b.test/p is not granted; the operator can add")
	require.NotContains(t, f.Message, "canary")
	require.Empty(t, s.requests())
}

func packed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestBodiesAreBounded(t *testing.T) {
	pages := map[string]func(http.ResponseWriter){
		"/fits":    func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 4096)) },
		"/long":    func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 4097)) },
		"/endless": func(w http.ResponseWriter) { _, _ = io.Copy(w, io.LimitReader(neverEnding{}, 64<<20)) },
		"/packed": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed(t, make([]byte, 4096)))
		},
		"/bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed(t, make([]byte, 1<<20)))
		},
		"/hollow": func(w http.ResponseWriter) { // much that becomes nothing
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bytes.Repeat(packed(t, nil), 1000))
		},
		"/damaged": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("no gzip"))
		},
	}
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { pages[r.URL.Path](w) })
	v := newVisitor(t, host.EgressConfig{}, "limits: {httpRequestBytes: 10B, httpResponseBytes: 4KiB}", s.grant("a.test"))
	for _, path := range []string{"/fits", "/packed"} {
		g := v.answer(t, get(s.at("a.test", path)))
		require.Len(t, g.Body, 4096)
		require.NotContains(t, g.Headers, "Content-Encoding")
	}
	for _, path := range []string{"/long", "/endless", "/bomb", "/hollow"} {
		require.Contains(t, v.refused(t, core.CodePluginEgressLimit, get(s.at("a.test", path))).Message, "httpResponseBytes")
	}
	require.Equal(t, core.ClassRetryable, v.refused(t, core.CodeExecutionFailed, get(s.at("a.test", "/damaged"))).Class)
	require.Empty(t, v.answer(t, ask{HTTPRequest: wire.HTTPRequest{Method: "HEAD", URL: s.at("a.test", "/packed")}}).Body)
	long := send("POST", s.at("a.test", "/fits"))
	long.Body = "12345678901"
	require.Contains(t, v.refused(t, core.CodePluginEgressLimit, long).Message, "httpRequestBytes")
}

// The bytes of a run are counted as they are on the network, in both directions
// and over redirects; the last answer is read no further than what is left.
func TestARunHasBytesToSpend(t *testing.T) {
	small := packed(t, bytes.Repeat([]byte("x"), 3000))
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/quiet":
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(small)
		case "/twice":
			http.Redirect(w, r, "/quiet", http.StatusTemporaryRedirect)
		case "/endless":
			_, _ = io.Copy(w, io.LimitReader(neverEnding{}, 64<<20))
		default:
			_, _ = w.Write(make([]byte, 1000))
		}
	})
	v := newVisitor(t, host.EgressConfig{}, "limits: {httpBytes: 2KiB, httpRequestBytes: 4KiB}", s.grant("a.test"))
	body := func(path string, n int) ask {
		a := send("POST", s.at("a.test", path))
		a.Body = strings.Repeat("b", n)
		return a
	}
	kilo, tiny := get(s.at("a.test", "/")), get(s.at("a.test", "/packed"))
	for name, test := range map[string]struct {
		asks []ask
		ends bool
	}{
		"answers that fit":                  {[]ask{kilo, kilo}, false},
		"a third one":                       {[]ask{kilo, kilo, kilo}, true},
		"a body that fits":                  {[]ask{body("/quiet", 2048)}, false},
		"one byte more":                     {[]ask{body("/quiet", 2049)}, true},
		"a body and its answer":             {[]ask{body("/", 1049)}, true},
		"a body that a redirect sends anew": {[]ask{body("/twice", 1025)}, true},
		"compressed answers":                {[]ask{tiny, tiny, tiny}, false},
		"an answer without end":             {[]ask{get(s.at("a.test", "/endless"))}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := v.run(t, test.asks...)
			if !test.ends {
				require.Nil(t, f)
				return
			}
			require.Equal(t, core.CodePluginEgressLimit, f.Code, f.Message)
			require.Contains(t, f.Message, "httpBytes")
		})
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

func TestRequestsTimeOut(t *testing.T) {
	ended := make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(ended) })
	for name, cfg := range map[string]host.EgressConfig{"by default": {Timeout: 20 * time.Millisecond}, "header": {HeaderTimeout: 20 * time.Millisecond}, "as asked": {}} {
		for _, path := range []string{"/hang", "/slow"} {
			t.Run(name+path, func(t *testing.T) {
				if name == "header" && path == "/slow" {
					return
				}
				v := newVisitor(t, cfg, "", s.grant("a.test"))
				a := get(s.at("a.test", path))
				if name == "as asked" {
					a.TimeoutMS = 20
				}
				f := v.refused(t, core.CodeExecutionFailed, a)
				require.Equal(t, core.ClassRetryable, f.Class)
				require.Contains(t, f.Message, "a.test"+s.port+": no answer in time")
			})
		}
	}
}

func TestARequestEndsWithItsRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newSite(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
	v.asks = []ask{get(s.at("a.test", "/"))}
	_, err := v.Invoke(ctx, core.Invocation{ExecutionID: "e", Type: "x"})
	require.Equal(t, core.CodeCancelled, failureCode(err))
	require.Empty(t, v.seen, "the program is ended, it gets no answer")
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	server.StartTLS()
	old := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer server.Close()
	defer old.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	v := newVisitor(t, host.EgressConfig{RootCAs: roots}, "", `http: ["`+server.URL+`/**", "`+old.URL+`/**"]`)
	require.Equal(t, "GET /x ", v.answer(t, get(server.URL+"/x")).Body)
	require.Contains(t, v.refused(t, core.CodeExecutionFailed, get(old.URL+"/x")).Message, "protocol version")
	stranger := newVisitor(t, host.EgressConfig{RootCAs: x509.NewCertPool()}, "", `http: ["`+server.URL+`/**"]`)
	require.Contains(t, stranger.refused(t, core.CodeExecutionFailed, get(server.URL+"/x")).Message, "certificate")
}

func TestIdempotencyKeys(t *testing.T) {
	s := newSite(t, echo)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
	url := s.at("a.test", "/")
	_, f := v.run(t, get(url), send("POST", url), send("PUT", url).with("idempotency-key", "own"), send("PATCH", url), send("DELETE", url), send("OPTIONS", url))
	require.Nil(t, f)
	var keys []string
	for _, r := range s.requests() {
		keys = append(keys, strings.Join(r.Header.Values("Idempotency-Key"), ","))
	}
	require.Equal(t, []string{"", "e:1", "own", "e:3", "e:4", ""}, keys)
}

// A connection that breaks after the server had the request: whether it is sent
// again is for the retry policy to say.
func TestBrokenConnectionsRepeatNothing(t *testing.T) {
	for _, header := range []string{"X-Other", "Idempotency-Key", "X-Idempotency-Key"} {
		var s *site
		s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
			if len(s.requests()) == 1 {
				echo(w, r)
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		})
		v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"))
		a := send("POST", s.at("a.test", "/")).with(header, "own")
		a.Body = ""
		_, f := v.run(t, a, a)
		require.Equal(t, core.ClassRetryable, f.Class)
		require.Len(t, s.requests(), 2)
	}
}

func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %v %s", r.Proto, r.Header["Idempotency-Key"], body)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	v := newVisitor(t, host.EgressConfig{RootCAs: roots}, "", `http: ["`+server.URL+`/**"]`)
	require.Equal(t, "HTTP/2.0 [e:1] body", v.answer(t, send("POST", server.URL+"/")).Body)
}
