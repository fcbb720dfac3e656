package redact_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/redact"
)

const canary = "hunter2"

// written logs with a logger of each format and level and returns the text.
func written(write func(hclog.Logger)) string {
	var out bytes.Buffer
	for _, format := range []bool{true, false} {
		write(redact.Logger(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace, JSONFormat: format})))
	}
	return out.String()
}

func TestSecretsAreNotWritten(t *testing.T) {
	address, err := url.Parse("postgres://user:" + canary + "@db/x")
	require.NoError(t, err)
	for name, write := range map[string]func(hclog.Logger){
		"by key": func(l hclog.Logger) {
			l.Error("x", "Authorization", canary, "token", canary, "secret", canary, "password", canary, "webhook_url", canary, "dsn", canary, "cookie", canary, "api_key", canary)
		},
		"by the end of a key": func(l hclog.Logger) {
			l.Info("x", "accessToken", canary, "Set-Cookie", canary, "X-Api-Key", canary, "secrets", []string{canary})
		},
		"whatever it is": func(l hclog.Logger) { l.Info("x", "password", []byte(canary), "token", errors.New(canary)) },
		"nested": func(l hclog.Logger) {
			l.Debug("x", "fields", map[string]any{"a": []any{map[string]any{"password": canary}}})
		},
		"headers": func(l hclog.Logger) {
			l.Debug("x", "header", map[string][]string(http.Header{"Authorization": {canary}}))
		},
		"kept with With":        func(l hclog.Logger) { l.Named("n").With("token", canary).ResetNamed("m").Warn("x") },
		"in a message":          func(l hclog.Logger) { l.Trace("dial amqp://user:" + canary + "@queue") },
		"in an error":           func(l hclog.Logger) { l.Log(hclog.Info, "x", "error", errors.New(`parse "http://u:a/`+canary+`@h"`)) },
		"in a URL":              func(l hclog.Logger) { l.Info("x", "address", address) },
		"in a list":             func(l hclog.Logger) { l.Info("x", "addresses", []string{"https://" + canary + "@a"}) },
		"in a query":            func(l hclog.Logger) { l.Info("x", "url", "https://a/?q=1&access_token="+canary+"&b=2") },
		"in a request":          func(l hclog.Logger) { l.Info("x", "request", "GET / HTTP/1.1\r\nAuthorization: Bearer "+canary) },
		"without a key":         func(l hclog.Logger) { l.Info("x", "https://"+canary+"@a") },
		"by a standard logger":  func(l hclog.Logger) { l.StandardLogger(nil).Print("https://" + canary + "@a") },
		"under a key in no key": func(l hclog.Logger) { l.Info("x", 1, "https://"+canary+"@a") },
	} {
		t.Run(name, func(t *testing.T) {
			text := written(write)
			require.NotContains(t, text, canary)
			require.Contains(t, text, redact.Mask)
		})
	}
}

func TestEverythingElseIsWritten(t *testing.T) {
	text := written(func(l hclog.Logger) {
		l.Named("store").With("task_id", "t-1").Info("started", "address", "http://127.0.0.1:3006/x", "n", 3, "error", errors.New("no such file"),
			"mail", "ada@example.com", "fields", map[string]any{"tokens_used": 7.0, "key": "value"})
	})
	for _, word := range []string{"store", "t-1", "started", "http://127.0.0.1:3006/x", "3", "no such file", "ada@example.com", "tokens_used", "7", "value"} {
		require.Contains(t, text, word)
	}
	require.NotContains(t, text, redact.Mask)
}

func TestTheGivenValuesAreNotChanged(t *testing.T) {
	fields := map[string]any{"password": canary}
	given := []any{"fields", fields}
	written(func(l hclog.Logger) { l.Info("x", given...) })
	require.Equal(t, []any{"fields", map[string]any{"password": canary}}, given)
}

func TestWhatIsNotWrittenIsNotLookedAt(t *testing.T) {
	var out bytes.Buffer
	l := redact.Logger(hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Info}))
	l.Debug("x", "value", explosive{})
	require.Empty(t, out.String())
}

// explosive must not be formatted.
type explosive struct{}

func (explosive) String() string { panic("was formatted") }
