package host_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// configServer is a config service.
type configServer struct {
	*httptest.Server
	mu     sync.Mutex
	text   string
	status int // 0 answers text
	asked  int
	told   int // answers that had the text
	path   string
	user   string
}

func newConfigServer(t *testing.T) *configServer {
	t.Helper()
	s := &configServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *configServer) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.path = r.Method + " " + r.URL.String()
	s.user, _, _ = r.BasicAuth()
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(s.text)))
	w.Header().Set("ETag", etag)
	w.Header().Set("Location", "/elsewhere")
	switch {
	case s.status != 0:
		w.WriteHeader(s.status)
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	default:
		s.told++
		_, _ = io.WriteString(w, s.text)
	}
}

func (s *configServer) say(status int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.text = status, text
}

func (s *configServer) counts() (asked, told int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, s.told
}

// serviced is a house whose plugins a config service lists. Several may share a
// directory, one after the other.
func serviced(t *testing.T, s *configServer, dir string) *house {
	t.Helper()
	h := newHouse(t)
	h.dir = dir
	for _, name := range []string{"good", "better"} {
		h.runtime.program(name)
		h.file(t, name, name)
	}
	service, err := host.NewConfigService(host.ConfigServiceConfig{
		URL: strings.Replace(s.URL, "http://", "http://hunter:hunter2@", 1) + "/base", Dir: dir, Copy: filepath.Join(dir, "data", "list.yaml"),
		Clock: h.clock, Timeout: 5 * time.Second, Logger: hclog.New(&hclog.LoggerOptions{Output: h.log}),
	})
	require.NoError(t, err)
	h.Host = host.New(host.Config{
		Service: service, Runtimes: map[string]host.Runtime{"fake": h.runtime}, Clock: h.clock,
		Logger: hclog.New(&hclog.LoggerOptions{Output: h.log}),
	})
	t.Cleanup(func() {
		require.Zero(t, h.log.count("hunter"), "credentials are not logged")
		require.NoError(t, h.Close(t.Context()))
	})
	return h
}

func TestAConfigServiceListsPlugins(t *testing.T) {
	s := newConfigServer(t)
	s.say(0, listing("x", "good"))
	h := serviced(t, s, t.TempDir())
	h.load(t)
	require.NoError(t, h.Problem())
	require.Equal(t, []string{"x"}, h.types())
	require.Equal(t, "GET /base/plugins", s.path)
	require.Equal(t, "hunter", s.user)

	s.say(0, `{"plugins": [{"type": "y", "runtime": "fake", "source": "better"}]}`)
	require.NoError(t, h.Reload(t.Context()), "JSON will do")
	require.Equal(t, []string{"y"}, h.types())
	require.NoError(t, h.Reload(t.Context()))
	asked, told := s.counts()
	require.Equal(t, []int{3, 2}, []int{asked, told}, "what has not changed is not sent")
}

func TestAConfigServiceIsAskedNowAndThen(t *testing.T) {
	s := newConfigServer(t)
	s.say(0, listing("x", "good"))
	h := serviced(t, s, t.TempDir())
	h.load(t)
	watch(t, h, time.Millisecond)
	asksAgain := func() {
		t.Helper()
		before, _ := s.counts()
		h.clock.Advance(36 * time.Second) // a period and its spread
		eventually(t, "it asks again", func() bool { asked, _ := s.counts(); return asked > before })
	}
	asksAgain()
	h.clock.Advance(20 * time.Second)
	s.say(0, listing("y", "good"))
	require.Equal(t, []string{"x"}, h.types())
	asksAgain()
	eventually(t, "the new list", func() bool { return h.types()[0] == "y" })

	s.say(500, "")
	asksAgain()
	eventually(t, "it is told", func() bool { return h.log.count("cannot be read; the last list goes on") == 1 })
	asksAgain()
	require.Equal(t, 1, h.log.count("cannot be read; the last list goes on"), "once")
	require.Equal(t, []string{"y"}, h.types())

	s.say(0, "plugins: [")
	asksAgain()
	eventually(t, "it is told like a wrong file", func() bool { return strings.Contains(h.LastReload().Error, "/base/plugins: line 1") })
	require.Equal(t, 1, h.log.count("can be read again"))
	require.Equal(t, []string{"y"}, h.types())
}

func TestTheLastGoodListSurvivesARestart(t *testing.T) {
	s := newConfigServer(t)
	dir := t.TempDir()
	for _, list := range []string{listing("x", "good"), listing("y", "good")} {
		s.say(0, list)
		serviced(t, s, dir).load(t)
	}
	for name, test := range map[string]struct {
		status     int
		text, want string
	}{
		"away":    {503, "", "the config service answers 503"},
		"moved":   {302, "", "the config service answers 302"},
		"broken":  {0, "plugins: [", "line 1"},
		"no list": {0, "<html>", "line 1"},
		"endless": {0, "# " + strings.Repeat("x", 1<<20), "larger than 1MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			s.say(test.status, test.text)
			h := serviced(t, s, dir)
			h.load(t)
			require.Equal(t, []string{"y"}, h.types(), "the list that was used last")
			require.ErrorContains(t, h.Problem(), test.want)
			require.ErrorContains(t, h.Problem(), "the list that was used last is in force")
			require.Equal(t, 1, h.log.count("the one that was used last is"))
			require.ErrorContains(t, h.Reload(t.Context()), test.want)

			s.say(0, listing("y", "better"))
			require.NoError(t, h.Reload(t.Context()))
			require.NoError(t, h.Problem())
			require.Equal(t, "better", h.status(t, "y").Name)
			s.say(0, listing("y", "good"))
			require.NoError(t, h.Reload(t.Context()))
		})
	}
	kept, err := os.Stat(filepath.Join(dir, "data", "list.yaml"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), kept.Mode().Perm())
}

func TestWithoutAListThereAreNoPlugins(t *testing.T) {
	s := newConfigServer(t)
	s.Close()
	h := serviced(t, s, t.TempDir())
	h.load(t)
	require.Empty(t, h.Plugins())
	require.ErrorContains(t, h.Problem(), "the config service does not answer: dial tcp")
	require.NotContains(t, h.Problem().Error(), "hunter")
}

// What comes from elsewhere cannot make any program of this machine run.
func TestAConfigServiceNamesProgramsOfOneDirectory(t *testing.T) {
	s := newConfigServer(t)
	dir := t.TempDir()
	for _, source := range []string{filepath.Join(dir, "good"), "../good", "a/../../good"} {
		s.say(0, listing("x", source))
		h := serviced(t, s, filepath.Join(dir))
		h.load(t)
		require.Equal(t, core.PluginFailed, h.status(t, "x").State)
		require.Contains(t, h.status(t, "x").Error, "line 2: source is not a path below the directory of PLUGINS_CONFIG")
	}
}

func TestTheAddressOfAConfigService(t *testing.T) {
	for _, address := range []string{"", "config:3002", "ftp://config", "http://"} {
		_, err := host.NewConfigService(host.ConfigServiceConfig{URL: address})
		require.ErrorContains(t, err, "not an absolute http or https URL")
	}
}
