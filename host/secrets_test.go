package host_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// awkward is a secret that looks different in a URL and in JSON.
const awkward = `canary "7f3a"/+é &x`

// parrot repeats what arrived, in every way a server might.
func parrot(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	quoted, _ := json.Marshal(token)
	w.Header().Set("X-Echo", token)
	w.Header().Set("Location", r.URL.String())
	w.Header().Set("X-Escaped", url.PathEscape(token))
	_, _ = fmt.Fprintln(w, token, string(quoted), url.QueryEscape(token), strings.ReplaceAll(token, "/", `\/`), r.URL.RequestURI(), r.URL.Query().Get("k"))
}

func TestSecretsAreFilledInAndMasked(t *testing.T) {
	s := newSite(t, parrot)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"), "secrets: [my-to.ken, other]")
	v.env["SECRET_MY_TO_KEN"], v.env["SECRET_OTHER"] = awkward, "canary-other"
	g := v.answer(t, get(s.at("a.test", "/p/{{secret:other}}?k={{secret:my-to.ken}}")).with("Authorization", "{{secret:my-to.ken}}"))
	r := s.requests()[0]
	require.Equal(t, []string{awkward, awkward, "/p/canary-other"}, []string{r.Header.Get("Authorization"), r.URL.Query().Get("k"), r.URL.Path})

	seen, err := json.Marshal(g)
	require.NoError(t, err)
	require.NotContains(t, string(seen), "canary")
	require.Equal(t, "*** \"***\" *** *** /p/***?k=*** ***\n", g.Body)
	require.Equal(t, []string{"***"}, g.Headers["X-Echo"])
	require.NotContains(t, v.logs(t), "canary")
}

// A webhook's address is a secret as a whole.
func TestAnAddressCanBeASecret(t *testing.T) {
	s := newSite(t, parrot)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"), "secrets: [hook, stray]")
	v.env["SECRET_HOOK"], v.env["SECRET_STRAY"] = s.at("a.test", "/hooks/1/canary"), "https://canary.example/canary"
	g := v.answer(t, get("{{secret:hook}}?wait=true"))
	require.Equal(t, "/hooks/1/canary?wait=true", s.requests()[0].URL.String())
	require.Equal(t, "***?wait=true", g.URL)
	require.NotContains(t, g.Body, "canary")
	f := v.refused(t, core.CodePluginDenied, get("{{secret:stray}}"))
	require.Contains(t, f.Message, "GET *** is not granted")
	require.NotContains(t, v.logs(t), "canary")
}

// Whatever goes wrong with a request that has a secret in it, no error tells it.
func TestErrorsHaveNoSecrets(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			w.Header().Set("Location", "https://b.test/"+r.Header.Get("Authorization"))
			w.WriteHeader(302)
		case "/worse":
			w.Header().Set("Location", "https://u:p@b.test/"+r.Header.Get("Authorization"))
			w.WriteHeader(302)
		case "/malformed":
			conn, buffer, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = buffer.WriteString(r.Header.Get("Authorization") + "\r\n\r\n")
				_ = buffer.Flush()
				_ = conn.Close()
			}
		}
	})
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"), "secrets: [token, line]")
	v.env["SECRET_TOKEN"], v.env["SECRET_LINE"] = "canary-token", "canary\nline"
	for name, a := range map[string]ask{
		"redirect":  get(s.at("a.test", "/redirect")),
		"worse":     get(s.at("a.test", "/worse")),
		"malformed": get(s.at("a.test", "/malformed")),
		"unknown":   get("http://{{secret:token}}/"),
		"port":      get("http://a.test:{{secret:token}}/"),
		"scheme":    get("x{{secret:token}}://a.test/"),
		"line":      get(s.at("a.test", "/")).with("X-A", "{{secret:line}}"),
	} {
		_, f := v.run(t, a.with("Authorization", "{{secret:token}}"))
		require.NotNil(t, f, name)
		require.NotContains(t, f.Message, "canary", name)
	}
	require.NotContains(t, v.logs(t), "canary")
}

// A host's name is lower-cased, looked up and told in messages, so no part of it
// can be a secret, whatever hosts are granted.
func TestAPartOfTheHostCannotBeASecret(t *testing.T) {
	s := newSite(t, parrot)
	asked := 0
	resolver := hosttest.Resolver(func(string, int) string { asked++; return "127.0.0.1" })
	v := newVisitor(t, host.EgressConfig{Resolver: resolver}, "", `http: ["http://*:`+s.port[1:]+`/**"]`, "secrets: [token, scheme]")
	v.env["SECRET_TOKEN"], v.env["SECRET_SCHEME"] = "CaNaRyToken", "http://x"
	for _, address := range []string{
		s.at("{{secret:token}}.example.com", "/"), s.at("a.{{secret:token}}", "/"), "http://a.test:{{secret:token}}/", "http://{{secret:token}}@a.test/",
		"{{secret:scheme}}.{{secret:token}}" + s.port + "/", "http:/{{secret:token}}/",
	} {
		f := v.refused(t, core.CodeExecutionFailed, get(address))
		require.Contains(t, f.Message, "host or port", address)
		require.Equal(t, core.ClassPermanent, f.Class)
	}
	require.Zero(t, asked)
	v.answer(t, get(s.at("a.test", "?k={{secret:token}}")))
	require.NotContains(t, strings.ToLower(v.logs(t)), "canary")
}

// A secret in other letters is still the secret.
func TestSecretsAreMaskedInAnyCase(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization")
		w.Header().Set("X-Echo", strings.ToUpper(token))
		_, _ = fmt.Fprint(w, "É ", strings.ToLower(token), " ", strings.ToUpper(token), token, "!")
	})
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"), "secrets: [token, hook, aaa, aab]")
	v.env["SECRET_TOKEN"], v.env["SECRET_HOOK"] = "CaNaRy-Token", "https://CaNaRy.Example/CaNaRy"
	g := v.answer(t, get(s.at("a.test", "/")).with("Authorization", "{{secret:token}}"))
	require.Equal(t, "É *** ******!", g.Body)
	require.Equal(t, []string{"***"}, g.Headers["X-Echo"])
	f := v.refused(t, core.CodePluginDenied, get("{{secret:hook}}"))
	require.NotContains(t, strings.ToLower(f.Message), "canary")

	v.env["SECRET_AAA"], v.env["SECRET_AAB"] = "aaaaaaaa", "aaaab234"
	g = v.answer(t, get(s.at("a.test", "/")).with("Authorization", "aaaaaaaaaaaaab234"))
	require.Equal(t, "É *** ******!", g.Body, "what overlaps is masked as one")
}

func TestSecretsThatAreNotThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("from-a-file\n"), 0o600))
	s := newSite(t, parrot)
	v := newVisitor(t, host.EgressConfig{}, "", s.grant("a.test"), "secrets: [unset, twice, short, lost, filed]")
	v.env["SECRET_TWICE"], v.env["SECRET_TWICE_FILE"], v.env["SECRET_OTHER"] = "canary-1", file, "canary-2"
	v.env["SECRET_SHORT"], v.env["SECRET_LOST_FILE"], v.env["SECRET_FILED_FILE"] = "canary", file+".none", file
	v.answer(t, get(s.at("a.test", "/")).with("Authorization", "{{secret:filed}}"))
	require.Equal(t, "from-a-file", s.requests()[0].Header.Get("Authorization"))

	for name, want := range map[string]string{
		"unset": "must set SECRET_UNSET or SECRET_UNSET_FILE", "twice": "set one", "short": "less than 8 bytes", "lost": "its log says why",
	} {
		for _, a := range []ask{get(s.at("a.test", "/")).with("X-A", "{{secret:"+name+"}}"), get("{{secret:" + name + "}}")} {
			f := v.refused(t, core.CodeExecutionFailed, a)
			require.Contains(t, f.Message, want)
			require.NotContains(t, f.Message, "canary")
		}
	}
	for range 20 {
		f := v.refused(t, core.CodeExecutionFailed, get(s.at("a.test", "/")).with("X-B", "{{secret:lost}}").with("X-A", "{{secret:unset}}"))
		require.Contains(t, f.Message, "SECRET_UNSET", "the same one is told each time")
	}
	for _, name := range []string{"other", "", "OTHER", "a b"} {
		require.Contains(t, v.refused(t, core.CodePluginDenied, get("{{secret:"+name+"}}")).Message, "grants.secrets")
	}
	require.Len(t, s.requests(), 1)
}

func TestSecretAnswersAPlaceholder(t *testing.T) {
	h := loaded(t, callOnce(wire.OpSecret, wire.SecretName{Name: "token"}), "grants: {secrets: [token]}")
	_, err := h.invoke(t, "x")
	require.ErrorContains(t, err, "SECRET_TOKEN")
	h.env["SECRET_TOKEN"] = "canary-token"
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.JSONEq(t, `"{{secret:token}}"`, string(out.Result))

	h = loaded(t, callOnce(wire.OpSecret, wire.SecretName{Name: "other"}), "grants: {secrets: [token]}")
	_, err = h.invoke(t, "x")
	require.Equal(t, core.CodePluginDenied, failureCode(err))
}
