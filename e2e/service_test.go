package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// built is where TestMain puts the programs.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "scheduler-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		built = dir
		if err := buildAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func buildAll(dir string) error {
	wasm := []string{"GOOS=wasip1", "GOARCH=wasm"}
	for _, b := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"-o", filepath.Join(dir, "scheduler"), "../cmd/scheduler"}},
		{nil, []string{"-tags", "failpoints", "-o", filepath.Join(dir, "scheduler-failpoints"), "../cmd/scheduler"}},
		{wasm, []string{"-buildmode=c-shared", "-o", filepath.Join(dir, "reminder.wasm"), "../plugins/reminder"}},
		{wasm, []string{"-buildmode=c-shared", "-o", filepath.Join(dir, "noop.wasm"), "./testdata/noop"}},
		{wasm, []string{"-buildmode=c-shared", "-o", filepath.Join(dir, "effect.wasm"), "./testdata/effect"}},
		{wasm, []string{"-buildmode=c-shared", "-o", filepath.Join(dir, "guest.wasm"), "../host/hosttest/guest"}},
		{[]string{"CGO_ENABLED=0"}, []string{"-o", filepath.Join(dir, "guest-process"), "../host/hosttest/guest"}},
		{wasm, []string{"-buildmode=c-shared", "-o", filepath.Join(dir, "message.wasm"), "../plugins/message"}},
		{[]string{"CGO_ENABLED=0"}, []string{"-o", filepath.Join(dir, "message-process"), "../plugins/message"}},
	} {
		cmd := exec.Command("go", append([]string{"build", "-trimpath"}, b.args...)...)
		cmd.Env = append(os.Environ(), b.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return nil
}

// service is a data directory with, while it runs, a server on it.
type service struct {
	t       testing.TB
	program string // the binary among those built
	dir     string
	env     []string

	cmd  *exec.Cmd
	url  string
	log  *buffer
	said chan string // the first line of output
	gone chan struct{}
	err  error // how the process ended, once gone is closed
}

const bothPlugins = `plugins:
  - {type: reminder, runtime: wasm, source: reminder.wasm, grants: {notify: true}}
  - {type: noop, runtime: wasm, source: noop.wasm}
`

// compiled is a cache of compiled plugins that all tests but those about it
// share, because compiling takes seconds, and the file of the key that seals it.
func compiled(t testing.TB) (dir, key string) {
	dir, key = filepath.Join(built, "cache"), filepath.Join(built, "cache.key")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	if _, err := os.Stat(key); err != nil {
		require.NoError(t, os.WriteFile(key, []byte("the key of nothing but the tests"), 0o600))
	}
	return dir, key
}

// newService makes a data directory; env are variables such as "PORT=1".
func newService(t testing.TB, env ...string) *service {
	s := &service{t: t, program: "scheduler", dir: t.TempDir(), env: env}
	s.writePlugins(bothPlugins)
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "cache"), 0o700))
	cache, key := compiled(t)
	require.NoError(t, os.Symlink(cache, filepath.Join(s.dir, "cache", "wasm")))
	require.NoError(t, os.Symlink(key, filepath.Join(s.dir, "cache", "wasm.key")))
	t.Cleanup(func() {
		s.kill()
		if t.Failed() && s.log != nil {
			t.Logf("log of the last process:\n%s", s.log)
		}
	})
	return s
}

// startService makes a service and starts it.
func startService(t testing.TB, env ...string) *service {
	s := newService(t, env...)
	s.start()
	return s
}

func (s *service) writePlugins(yaml string) {
	s.t.Helper()
	var places []string
	for _, name := range []string{"reminder.wasm", "noop.wasm", "effect.wasm", "guest.wasm", "guest-process"} {
		places = append(places, name, filepath.Join(built, name))
	}
	yaml = strings.NewReplacer(places...).Replace(yaml)
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "plugins.yaml"), []byte(yaml), 0o600))
}

// command prepares the binary with this service's environment and no other.
func (s *service) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(built, s.program), args...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "DATA_DIR=" + s.dir, "PLUGINS_CONFIG=" + filepath.Join(s.dir, "plugins.yaml"),
		"PORT=0", "LOG_LEVEL=debug",
	}, s.env...)
	return cmd
}

var listening = regexp.MustCompile(`listening on (http://\S+);`)

// start runs the server and waits until it is ready.
func (s *service) start() {
	s.t.Helper()
	s.launch()
	s.awaitReady()
}

// launch runs the server.
func (s *service) launch() {
	s.t.Helper()
	cmd, said, gone := s.command(), make(chan string, 1), make(chan struct{})
	s.cmd, s.log, s.said, s.gone = cmd, &buffer{}, said, gone
	cmd.Stderr = s.log
	stdout, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		said <- line
		_, _ = io.Copy(io.Discard, stdout)
		s.err = cmd.Wait()
		close(gone)
	}()
}

// awaitReady waits until the server that was launched is ready.
func (s *service) awaitReady() {
	s.t.Helper()
	select {
	case line := <-s.said:
		found := listening.FindStringSubmatch(line)
		require.NotNil(s.t, found, "first line: %q\n%s", line, s.log)
		s.url = found[1]
	case <-time.After(time.Minute):
		s.t.Fatalf("not ready after a minute:\n%s", s.log)
	}
}

// kill ends the process as a crash would.
func (s *service) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.gone
	s.cmd = nil
}

// terminate asks the process to end and waits for it.
func (s *service) terminate() error {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.gone:
	case <-time.After(time.Minute):
		s.t.Fatalf("did not end within a minute of SIGTERM:\n%s", s.log)
	}
	s.cmd = nil
	return s.err
}

// object is any JSON object.
type object = map[string]any

// response is an answer of the API.
type response struct {
	status int
	header http.Header
	body   object
}

var client = &http.Client{Timeout: time.Minute}

// try sends a request and reports what came of it.
func (s *service) try(method, path string, body any, header ...string) (response, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return response{}, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, reader)
	if err != nil {
		return response{}, err
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return response{}, err
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return response{}, err
	}
	r := response{status: resp.StatusCode, header: resp.Header}
	if len(raw) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(raw, &r.body)
	}
	return r, err
}

// call sends a request and demands a status.
func (s *service) call(status int, method, path string, body any, header ...string) response {
	s.t.Helper()
	r, err := s.try(method, path, body, header...)
	require.NoError(s.t, err)
	require.Equal(s.t, status, r.status, "%s %s: %v", method, path, r.body)
	return r
}

// create makes a task and returns its id.
func (s *service) create(task object) string {
	s.t.Helper()
	return s.call(201, "POST", "/tasks", task).body["id"].(string)
}

// history returns all executions that a list route shows, newest first.
func (s *service) history(path string) []object {
	s.t.Helper()
	var all []object
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	for next := path + separator + "limit=200"; next != ""; {
		page := s.call(200, "GET", next, nil).body
		for _, item := range page["items"].([]any) {
			all = append(all, item.(object))
		}
		cursor, more := page["nextCursor"].(string)
		next = ""
		if more {
			next = path + separator + "limit=200&cursor=" + cursor
		}
	}
	return all
}

// eventually polls until a condition holds.
func (s *service) eventually(what string, within time.Duration, holds func() bool) {
	s.t.Helper()
	eventually(s.t, what, within, holds, s.log.String)
}

// eventually polls until a condition holds. When it does not in time the test
// fails with what explain says.
func eventually(t testing.TB, what string, within time.Duration, holds func() bool, explain func() string) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s\n%s", within, what, explain())
		}
	}
}

// reminder is a task of that type with anything else on top.
func reminder(name string, more object) object {
	task := object{"name": name, "type": "reminder", "data": object{"channelId": "channel-1", "message": name}}
	for k, v := range more {
		task[k] = v
	}
	return task
}

// buffer gathers a process's output.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
