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
