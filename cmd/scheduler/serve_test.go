package main

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/config"
)

func TestServeTakesNoArguments(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitUsage, s.run(t.Context(), "serve", "--port=80"))
	require.Contains(t, s.err.String(), "takes no arguments")
	require.NoDirExists(t, s.vars["DATA_DIR"])
}

var listening = regexp.MustCompile(`listening on (http://\S+);`)

// serving runs the service until the test ends it; done delivers the exit code.
func (s *shell) serving(args ...string) (url string, stop func(), done chan int) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	done = make(chan int, 1)
	go func() { done <- s.run(ctx, args...) }()
	require.Eventually(s.t, func() bool { return listening.MatchString(s.out.String()) || len(done) > 0 }, 10*time.Second, 5*time.Millisecond)
	require.Empty(s.t, done, "ended: %s", &s.err)
	return listening.FindStringSubmatch(s.out.String())[1], cancel, done
}

var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

func statusOf(t *testing.T, url string) int {
	t.Helper()
	resp, err := client.Get(url)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestServeRunsUntilItIsToldToStop(t *testing.T) {
	for name, args := range map[string][]string{"by name": {"serve"}, "by default": nil} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			url, stop, done := s.serving(args...)
			require.Contains(t, s.out.String(), "plugins: none")
			require.Equal(t, http.StatusOK, statusOf(t, url+"/health/ready"))
			require.Zero(t, s.restored, "while it runs the signals are its own")
			stop()
			require.Equal(t, exitOK, <-done)
			require.Equal(t, 1, s.restored, "a second signal must end the process")
			_, err := net.DialTimeout("tcp", url[len("http://"):], time.Second)
			require.Error(t, err, "it still listens")
		})
	}
}

func TestServeSaysWhyItCannotStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	s := newShell(t)
	_, s.vars["PORT"], _ = net.SplitHostPort(ln.Addr().String())
	require.Equal(t, exitError, s.run(t.Context(), "serve"))
	require.Contains(t, s.err.String(), "another program uses this port; stop it or set PORT")
	require.Empty(t, s.out.String())
}

func TestTheLogHasTheFormatAndLevelAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name, format, level, has, hasNot string
	}{
		{"json", "json", "info", `"@message":"started"`, "[INFO]"},
		{"text", "text", "info", "[INFO]  scheduler: started", "@message"},
		{"only warnings", "json", "warn", "", "started"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShell(t)
			s.vars["LOG_FORMAT"], s.vars["LOG_LEVEL"] = tc.format, tc.level
			_, stop, done := s.serving("serve")
			stop()
			require.Equal(t, exitOK, <-done)
			require.Contains(t, s.err.String(), tc.has)
			require.NotContains(t, s.err.String(), tc.hasNot)
		})
	}
}

// TestTheLogHoldsNoSecrets: what is configured with a password is logged without.
func TestTheLogHoldsNoSecrets(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out buffer
		log := newLogger(config.Config{LogLevel: "debug", LogFormat: format}, &out)
		log.Named("store").Info("dial postgres://user:hunter2@db", "Authorization", "hunter2", "fields", map[string]any{"api_key": "hunter2"})
		require.Contains(t, out.String(), "***@db")
		require.NotContains(t, out.String(), "hunter2")
	}
}

// endless is a WebAssembly plugin whose handler is a loop without an end.
const endless = "0061736d01000000010f0360000060017f017f60027f7f017e0304030001020503010001073304066d656d6f727902000b7461736b5f61" +
	"62695f763100000a7461736b5f616c6c6f6300010b7461736b5f68616e646c6500020a140302000b05004180080b090003400c000b42000b"

func TestRunningWorkHasTheShutdownGrace(t *testing.T) {
	for _, grace := range []time.Duration{0, 400 * time.Millisecond} {
		t.Run(grace.String(), func(t *testing.T) {
			s := newShell(t)
			module, err := hex.DecodeString(endless)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, "endless.wasm"), module, 0o600))
			require.NoError(t, os.WriteFile(s.pluginsFile, []byte("plugins: [{type: endless, runtime: wasm, source: endless.wasm}]"), 0o600))
			s.vars["SHUTDOWN_GRACE"] = strconv.FormatInt(grace.Milliseconds(), 10)
			url, stop, done := s.serving("serve")
			s.post(url+"/tasks", `{"name": "x", "type": "endless", "intervalMs": 1000}`)
			require.Eventually(t, func() bool { return s.running(url) }, 10*time.Second, 10*time.Millisecond)
			begin := time.Now()
			stop()
			require.Equal(t, exitOK, <-done)
			require.GreaterOrEqual(t, time.Since(begin), grace)
			require.Less(t, time.Since(begin), grace+3*time.Second)
		})
	}
}

func (s *shell) post(url, body string) {
	s.t.Helper()
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	require.Equal(s.t, http.StatusCreated, resp.StatusCode)
}

// running tells whether an execution is running.
func (s *shell) running(url string) bool {
	resp, err := client.Get(url + "/history?status=running")
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return strings.Contains(string(page), `"status":"running"`)
}
