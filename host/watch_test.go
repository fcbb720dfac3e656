package host_test

import (
	"bytes"
	"context"
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

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.b.String(), text)
}

// watched is a house whose file is watched.
func watched(t *testing.T) (*house, *lockedBuffer) {
	t.Helper()
	h := newHouse(t)
	h.runtime.program("good")
	h.list(t)
	log := &lockedBuffer{}
	h.Host = host.New(host.Config{
		Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime},
		Logger: hclog.New(&hclog.LoggerOptions{Output: log}),
	})
	h.load(t)
	watch(t, h, 5*time.Millisecond)
	return h, log
}

// watch watches for changes until the test ends.
func watch(t *testing.T, h *house, every time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Watch(ctx, every)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 20*time.Second, 2*time.Millisecond, what)
}

func TestAChangedFileIsLoaded(t *testing.T) {
	h, log := watched(t)
	h.file(t, "plugins.yaml", "plugins:\n  - {type: y, runtime: fake, source: good}\n")
	eventually(t, "the new type", func() bool { return len(h.Plugins()) == 1 && h.Plugins()[0].Type == "y" })
	h.file(t, "plugins.yaml", "plugins: [")
	eventually(t, "the complaint", func() bool { return log.count("cannot be used") == 1 })
	require.Equal(t, "y", h.Plugins()[0].Type, "what was loaded goes on")
	h.file(t, "plugins.yaml", "plugins: []\n")
	eventually(t, "the mended file", func() bool { return len(h.Plugins()) == 0 })
	require.Equal(t, 1, log.count("cannot be used"), "a broken file is told once")
}

// later waits for something while the time goes on.
func later(t *testing.T, h *house, what string, holds func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		h.clock.Advance(time.Second)
		return holds()
	})
}

// What was wrong may have been elsewhere: it is tried again, and the log is told
// when the reason is another one.
func TestAFailedReloadIsTriedAgain(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.runtime.program("late")
	h.list(t)
	h.load(t)
	watch(t, h, time.Millisecond)
	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: good}\n  - {type: y, runtime: fake, source: late}\n")
	eventually(t, "the complaint", func() bool { return h.log.count("tried again") == 1 })

	read := h.LastReload().At
	later(t, h, "another try", func() bool { return h.LastReload().At.After(read) })
	require.Equal(t, []int{1, 1}, []int{h.log.count("plugin is not loaded"), h.log.count("tried again")})
	h.file(t, "late", "broken")
	later(t, h, "another complaint", func() bool { return h.log.count("tried again") == 2 })
	require.Equal(t, 2, h.log.count("plugin is not loaded"))
	require.Equal(t, []string{"x"}, h.types())

	h.file(t, "late", "late")
	later(t, h, "the plugin that came late", func() bool { return len(h.types()) == 2 })
	read = h.LastReload().At
	h.clock.Advance(time.Hour)
	require.Never(t, func() bool { return h.LastReload().At.After(read) }, 50*time.Millisecond, time.Millisecond, "all is there")
}

// A plugin that was not there when the server started is one, too. Until it is,
// trying makes no generation and no noise.
func TestAPluginThatCameAfterTheStartIsLoaded(t *testing.T) {
	h := newHouse(t)
	h.runtime.program("good")
	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: late}\n  - {type: y, runtime: fake, source: here}\n")
	h.file(t, "here", "good")
	h.load(t)
	watch(t, h, time.Millisecond)
	for range 3 {
		read := h.LastReload().At
		later(t, h, "another try", func() bool { return h.LastReload().At.After(read) })
	}
	require.Equal(t, []int{1, 1}, []int{h.log.count("plugin is not loaded"), h.log.count("plugins loaded")})
	require.Equal(t, 1, h.status(t, "y").Generation)
	h.file(t, "late", "good")
	later(t, h, "the program", func() bool { return h.status(t, "x").State == core.PluginLoaded })
}

func TestTriesAreSpaced(t *testing.T) {
	require.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}, host.Tries(10)[:3])
	require.Equal(t, 5*time.Minute, host.Tries(10)[9])
}

// A service that does not answer is asked again, not all the time.
func TestAReloadThatTheConfigServiceFailedIsTriedAgain(t *testing.T) {
	s := newConfigServer(t)
	s.say(0, listing("x", "good"))
	h := serviced(t, s, t.TempDir())
	h.load(t)
	s.say(500, "")
	require.Error(t, h.Reload(t.Context()))
	watch(t, h, time.Millisecond)
	before, _ := s.counts()
	require.Never(t, func() bool { asked, _ := s.counts(); return asked > before }, 50*time.Millisecond, time.Millisecond)
	s.say(0, listing("y", "good"))
	later(t, h, "the new list", func() bool { return h.types()[0] == "y" })
	require.Empty(t, h.LastReload().Error)
}

const withLate = "plugins:\n  - {type: x, runtime: fake, source: good}\n  - {type: y, runtime: fake, source: late}\n"

// tried waits for a few tries.
func tried(t *testing.T, h *house) {
	t.Helper()
	for range 3 {
		read := h.LastReload().At
		later(t, h, "another try", func() bool { return h.LastReload().At.After(read) })
	}
}

// A try is for what fails. What works is another one only when somebody asks.
func TestTryingAgainLeavesWhatWorksAlone(t *testing.T) {
	h := newHouse(t)
	h.file(t, "plugins.yaml", withLate)
	h.deploy(t, "v1")
	h.load(t)
	require.NoError(t, h.Reload(t.Context()))
	watch(t, h, time.Millisecond)

	h.deploy(t, "v2")
	tried(t, h)
	require.Equal(t, "v1@1.0.0", h.version(t), "nobody has asked for v2")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, "v2@1.0.0", h.version(t))
	require.NoError(t, h.Rollback("x"))
	h.deploy(t, "v3")
	tried(t, h)
	require.Equal(t, "v1@1.0.0", h.version(t), "it stays rolled back")

	h.runtime.program("late")
	h.file(t, "late", "late")
	later(t, h, "the plugin that came late", func() bool { return h.status(t, "y").State == core.PluginLoaded })
	require.Equal(t, "v1@1.0.0", h.version(t), "it stays rolled back")
	require.True(t, h.status(t, "x").RolledBack)
}

// What a reload that failed was to change is what is tried again, and no more.
func TestTryingAgainDoesWhatWasAskedFor(t *testing.T) {
	h := newHouse(t)
	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: good}\n  - {type: z, runtime: fake, source: other}\n")
	h.runtime.program("late")
	h.file(t, "other", "late")
	h.deploy(t, "v1")
	h.load(t)
	h.deploy(t, "v2")
	h.file(t, "other", "broken")
	require.Error(t, h.Reload(t.Context()))
	number := h.status(t, "x").Generation
	watch(t, h, time.Millisecond)
	tried(t, h)
	require.NotEmpty(t, h.LastReload().Error)
	require.Equal(t, "v1@1.0.0", h.version(t))

	h.deploy(t, "v3")
	h.file(t, "other", "late")
	later(t, h, "what was asked for", func() bool { return h.version(t) == "v3@1.0.0" })
	require.Equal(t, number+1, h.status(t, "x").Generation, "what is refused has no number")
	require.Empty(t, h.LastReload().Error)
}
