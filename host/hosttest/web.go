package hosttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// canary is the value of a secret. It must never be seen.
const canary = "canary-5d1f0c77"

// newSite starts a server with pages for the guest.
func newSite(t testing.TB) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), r.URL.Query().Get("key"), body)
	})
	mux.HandleFunc("/known", func(w http.ResponseWriter, r *http.Request) { // tells by the status that the secret arrived
		if r.Header.Get("Authorization") != "Bearer "+canary || r.URL.Query().Get("key") != canary {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/mirror", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	mux.HandleFunc("/once", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.2/", http.StatusFound)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://example.com/"+canary, http.StatusFound)
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before that, nobody notices that the client is gone
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// web is what a run asks of the network.
func (s *suite) web() map[string]func(*testing.T) {
	denied := func(text, want string) func(*testing.T) {
		return func(t *testing.T) {
			out, f := s.fail(t, online, order{Do: "http", Text: text})
			expect(t, f, core.CodePluginDenied, core.ClassDenied)
			require.Contains(t, f.Message, want)
			secretFree(t, out, f)
		}
	}
	return map[string]func(*testing.T){
		"a request and its answer":       s.testRequest,
		"a large body, there and back":   s.testUpload,
		"a request ends with its run":    s.testHang,
		"a host that is not granted":     denied("GET https://example.com/", "grants.http"),
		"a private address":              denied("GET http://127.0.0.2/", "grants.privateNetworks"),
		"a redirect to a private one":    denied("GET "+s.site+"/private", "127.0.0.2"),
		"a redirect to another host":     denied("GET "+s.site+"/elsewhere", "example.com"),
		"a secret that is not granted":   s.testSecret,
		"a body that is too large":       s.testTooLarge,
		"more requests than are allowed": s.testTooMany,
		"more bytes than are allowed":    s.testTooMuch,
	}
}

func (s *suite) testRequest(t *testing.T) {
	var got struct {
		Status            int
		URL, Header, Body string
	}
	out := s.do(t, online, order{Do: "http", Text: "POST " + s.site + "/echo"})
	require.NoError(t, json.Unmarshal(out.Result, &got))
	require.Equal(t, 200, got.Status)
	require.Equal(t, "POST execution-1:1 Bearer *** *** body", got.Body)
	require.Equal(t, "Bearer ***", got.Header)
	require.Equal(t, s.site+"/echo?key=***", got.URL)
	secretFree(t, out, nil)

	require.NoError(t, json.Unmarshal(s.do(t, online, order{Do: "http", Text: "GET " + s.site + "/known"}).Result, &got))
	require.Equal(t, 200, got.Status, "the server got the secret")
}

func (s *suite) testUpload(t *testing.T) {
	require.Equal(t, "1500000", string(s.do(t, online, order{Do: "upload", Text: s.site + "/mirror", N: 1_500_000}).Result))
}

func (s *suite) testTooLarge(t *testing.T) {
	_, f := s.fail(t, online, order{Do: "upload", Text: s.site + "/mirror", N: 2<<20 + 1})
	expect(t, f, core.CodePluginEgressLimit, core.ClassRetryable)
	require.Contains(t, f.Message, "2MiB")
}

func (s *suite) testTooMany(t *testing.T) {
	s.do(t, online, order{Do: "http", Text: "GET " + s.site + "/echo", N: 5})
	_, f := s.fail(t, online, order{Do: "http", Text: "GET " + s.site + "/echo", N: 6})
	expect(t, f, core.CodePluginEgressLimit, core.ClassRetryable)
	require.Contains(t, f.Message, "more than 5")
}

// testTooMuch has a run send what it may, and get back more than it then may.
func (s *suite) testTooMuch(t *testing.T) {
	_, f := s.fail(t, online, order{Do: "upload", Text: s.site + "/mirror", N: 2 << 20})
	expect(t, f, core.CodePluginEgressLimit, core.ClassRetryable)
	require.Contains(t, f.Message, "httpBytes")
}

func (s *suite) testHang(t *testing.T) {
	in := invocation(t, online, order{Do: "http", Text: "GET " + s.site + "/hang"})
	start := time.Now()
	in.Deadline = start.Add(200 * time.Millisecond)
	_, err := s.host.Invoke(t.Context(), in)
	expect(t, failure(t, err), core.CodeTimeout, core.ClassTimeout)
	require.Less(t, time.Since(start), 200*time.Millisecond+slack)
}

func (s *suite) testSecret(t *testing.T) {
	require.JSONEq(t, `"{{secret:canary}}"`, string(s.do(t, online, order{Do: "secret", Text: "canary"}).Result))
	_, f := s.fail(t, online, order{Do: "secret", Text: "other"})
	expect(t, f, core.CodePluginDenied, core.ClassDenied)
	require.Contains(t, f.Message, "grants.secrets")
}

// secretFree demands that nothing a run left behind has the secret in it.
func secretFree(t *testing.T, out core.Outcome, f *core.Failure) {
	t.Helper()
	all, err := json.Marshal([]any{out, f})
	require.NoError(t, err)
	require.NotContains(t, string(all), canary)
	require.NotEmpty(t, out.Logs, "the guest logged what it saw")
}
