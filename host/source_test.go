package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/host"
)

// directory is a house whose plugins are listed by the files of a directory.
func directory(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	require.NoError(t, os.MkdirAll(filepath.Join(h.dir, "list", "bin"), 0o700))
	h.Host = host.New(host.Config{Path: filepath.Join(h.dir, "list"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, Clock: h.clock})
	for _, name := range []string{"good", "better"} {
		h.runtime.program(name)
		h.file(t, "list/bin/"+name, name)
	}
	return h
}

func (h *house) types() (types []string) {
	for _, p := range h.Plugins() {
		types = append(types, p.Type)
	}
	return types
}

func listing(taskType, source string) string {
	return fmt.Sprintf("plugins:\n  - {type: %s, runtime: fake, source: %s}\n", taskType, source)
}

func TestADirectoryListsPlugins(t *testing.T) {
	h := directory(t)
	h.file(t, "list/b.yml", listing("b", "bin/good"))
	h.file(t, "list/a.yaml", listing("a", "bin/better")+"  - {type: a2, runtime: fake, source: bin/good}\n")
	h.file(t, "list/.hidden.yaml", "no: list")
	h.file(t, "list/a.yaml~", "no: list")
	h.file(t, "list/README.md", "no: list")
	require.NoError(t, os.MkdirAll(filepath.Join(h.dir, "list", "more.yaml"), 0o700))
	h.file(t, "linked", listing("c", "bin/good"))
	require.NoError(t, os.Symlink(filepath.Join(h.dir, "linked"), filepath.Join(h.dir, "list", "c.yaml")))
	h.load(t)
	require.NoError(t, h.Problem())
	require.Equal(t, []string{"a", "a2", "b", "c"}, h.types(), "in the order of the names")
	for _, p := range h.Plugins() {
		require.Equal(t, core.PluginLoaded, p.State, p.Error)
	}

	h.file(t, "list/b.yml", "plugins: []\n")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, []string{"a", "a2", "c"}, h.types())
}

func TestWhatIsWrongInADirectoryNamesTheFile(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *house)
		want   string
	}{
		"syntax":        {func(t *testing.T, h *house) { h.file(t, "list/b.yaml", "plugins: [") }, "b.yaml: line 1"},
		"no type":       {func(t *testing.T, h *house) { h.file(t, "list/b.yaml", "plugins:\n  - runtime: fake\n") }, "b.yaml: line 2: a plugin needs a type"},
		"listed twice":  {func(t *testing.T, h *house) { h.file(t, "list/b.yaml", listing("x", "bin/good")) }, `b.yaml: line 2: type "x" is listed twice, first at a.yaml: line 2`},
		"a wrong entry": {func(t *testing.T, h *house) { h.file(t, "list/a.yaml", "plugins:\n  - {type: x, runtime: fake}\n") }, "plugin x: a.yaml: line 2: source is missing"},
		"empty":         {func(t *testing.T, h *house) { require.NoError(t, os.Remove(filepath.Join(h.dir, "list/a.yaml"))) }, "no file whose name ends in .yaml"},
		"a broken link": {func(t *testing.T, h *house) {
			require.NoError(t, os.Symlink("nowhere", filepath.Join(h.dir, "list/b.yaml")))
		}, "b.yaml: "},
		"too many files": {func(t *testing.T, h *house) { many(t, h) }, "the directory has 257 files, at most 256 are read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := directory(t)
			h.file(t, "list/a.yaml", listing("x", "bin/good"))
			h.load(t)
			test.change(t, h)
			require.ErrorContains(t, h.Reload(t.Context()), test.want)
			require.Contains(t, h.LastReload().Error, test.want)
			require.Equal(t, []string{"x"}, h.types())
			h.load(t)
			if name != "a wrong entry" {
				require.ErrorContains(t, h.Problem(), test.want)
			}
		})
	}
}

func many(t *testing.T, h *house) {
	for i := range 256 {
		h.file(t, fmt.Sprintf("list/%d.yaml", i), "plugins: []\n")
	}
}

func TestADirectoryIsWatched(t *testing.T) {
	h := directory(t)
	h.file(t, "list/a.yaml", listing("a", "bin/good"))
	h.load(t)
	watch(t, h, 5*time.Millisecond)
	has := func(types ...string) {
		t.Helper()
		eventually(t, fmt.Sprint(types), func() bool { return fmt.Sprint(h.types()) == fmt.Sprint(types) })
	}
	h.file(t, "list/b.yaml", listing("b", "bin/good"))
	has("a", "b")
	h.file(t, "list/a.yaml", listing("c", "bin/good"))
	has("c", "b")
	require.NoError(t, os.Rename(filepath.Join(h.dir, "list/a.yaml"), filepath.Join(h.dir, "list/z.yaml")))
	has("b", "c")
	require.NoError(t, os.Remove(filepath.Join(h.dir, "list/b.yaml")))
	has("c")
}

// An entry that moves from one file to another is the same plugin.
func TestAnEntryMayMove(t *testing.T) {
	h := directory(t)
	h.file(t, "list/a.yaml", listing("a", "bin/good"))
	h.load(t)
	loads := h.runtime.loaded()
	h.file(t, "list/b.yaml", "\n\n"+listing("a", "bin/good"))
	h.file(t, "list/a.yaml", "plugins: []\n")
	require.NoError(t, h.Reload(t.Context()))
	require.Equal(t, loads, h.runtime.loaded())
	require.Nil(t, h.status(t, "a").Previous)
}

func TestProgramsAreNotFetched(t *testing.T) {
	h := newHouse(t)
	h.file(t, "plugins.yaml", "plugins:\n  - {type: x, runtime: fake, source: \"https://example.com/x.wasm\"}\n")
	h.load(t)
	require.Contains(t, h.status(t, "x").Error, "line 2: source is an address; programs are not fetched")
}
