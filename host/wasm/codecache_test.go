package wasm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host/wasm"
)

// Messages of the log.
const (
	fromDisk = "compiled code comes from disk"
	notUsed  = "compiled code on disk is not used"
)

// start loads a module as a new server would, runs it, and returns the log.
func start(t *testing.T, dir string) string {
	t.Helper()
	var log bytes.Buffer
	r := newRuntimeWith(t, wasm.Config{CacheDir: dir, Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})})
	p, err := r.Load(t.Context(), artifact(assembled().bytes()))
	require.NoError(t, err)
	_, err = p.Handle(t.Context(), nil, &caller{})
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	return log.String()
}

// kept is the one entry of a cache.
func kept(t *testing.T, dir string) string {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	return entries[0]
}

func TestCompiledCodeIsKeptBetweenStarts(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "cache")
	require.NotContains(t, start(t, dir), fromDisk)
	before, err := os.ReadFile(kept(t, dir))
	require.NoError(t, err)
	require.Contains(t, start(t, dir), fromDisk)
	after, err := os.ReadFile(kept(t, dir))
	require.NoError(t, err)
	require.Equal(t, before, after)

	scratch, err := filepath.Glob(filepath.Join(parent, "wasm-scratch-*"))
	require.NoError(t, err)
	require.Empty(t, scratch)
}

// What a server that was killed has left behind is removed by the next one, and
// what a living one uses is not.
func TestDirectoriesOfKilledServersAreRemoved(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "cache")
	living := newRuntimeWith(t, wasm.Config{CacheDir: dir})
	load(t, living, spin())
	used, err := filepath.Glob(filepath.Join(parent, "wasm-scratch-*"))
	require.NoError(t, err)
	require.Len(t, used, 1)
	left := filepath.Join(parent, "wasm-scratch-1234")
	require.NoError(t, os.Mkdir(left, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(left, "code"), nil, 0o600))

	newRuntimeWith(t, wasm.Config{CacheDir: dir})
	require.DirExists(t, used[0])
	if runtime.GOOS == "linux" {
		require.NoDirExists(t, left)
	}
}

// Whoever can write to the cache cannot make the server run code of his own.
func TestCodeWithAWrongSealIsNotRun(t *testing.T) {
	changes := map[string]func(t *testing.T, dir string){
		"a changed byte": func(t *testing.T, dir string) {
			b, err := os.ReadFile(kept(t, dir))
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			require.NoError(t, os.WriteFile(kept(t, dir), b, 0o600))
		},
		"cut off": func(t *testing.T, dir string) { require.NoError(t, os.Truncate(kept(t, dir), 20)) },
		"a key cut off": func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(dir+".key", 5))
		},
		"an empty key": func(t *testing.T, dir string) { // of a server that was killed
			require.NoError(t, os.Truncate(dir+".key", 0))
		},
		"another key": func(t *testing.T, dir string) { require.NoError(t, os.Remove(dir+".key")) },
		"another entry's": func(t *testing.T, dir string) {
			other := t.TempDir()
			require.NoError(t, os.Chmod(other, 0o700))
			require.NoError(t, os.WriteFile(other+".key", must(os.ReadFile(dir+".key")), 0o600))
			r := newRuntimeWith(t, wasm.Config{CacheDir: other})
			p, err := r.Load(t.Context(), artifact(recursion()))
			require.NoError(t, err)
			require.NoError(t, p.Close(t.Context()))
			require.NoError(t, os.Rename(kept(t, other), kept(t, dir)))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			start(t, dir)
			change(t, dir)
			log := start(t, dir)
			require.Contains(t, log, notUsed)
			require.NotContains(t, log, fromDisk)
			require.Contains(t, start(t, dir), fromDisk, "what was wrong is written anew")
		})
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestCacheAndKeyMustBePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	start(t, dir)
	for path, mode := range map[string]os.FileMode{dir: 0o700, dir + ".key": 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm())
	}
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err := wasm.New(wasm.Config{CacheDir: dir})
	require.ErrorContains(t, err, "chmod 700")
	require.NoError(t, os.Chmod(dir, 0o700))

	require.NoError(t, os.Chmod(dir+".key", 0o644))
	_, err = wasm.New(wasm.Config{CacheDir: dir})
	require.ErrorContains(t, err, "read by other users")
}

// Servers that start together take one key.
func TestOneKeyIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	done := make(chan error)
	for range 8 {
		go func() {
			r, err := wasm.New(wasm.Config{CacheDir: dir})
			if err == nil {
				err = r.Close(context.Background())
			}
			done <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
	files, err := filepath.Glob(dir + ".key*")
	require.NoError(t, err)
	require.Equal(t, []string{dir + ".key"}, files, "nothing else is left")
	require.Len(t, must(os.ReadFile(files[0])), 32)
}

// Two plugins of one module share its code, and the last one releases it.
func TestPluginsOfOneModuleShareItsCode(t *testing.T) {
	var log bytes.Buffer
	r := newRuntimeWith(t, wasm.Config{CacheDir: filepath.Join(t.TempDir(), "cache"), Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})})
	first, err := r.Load(t.Context(), artifact(assembled().bytes()))
	require.NoError(t, err)
	second, err := r.Load(t.Context(), artifact(assembled().bytes()))
	require.NoError(t, err)
	require.NoError(t, first.Close(t.Context()))
	_, err = second.Handle(t.Context(), nil, &caller{})
	require.NoError(t, err)
	require.NoError(t, second.Close(context.Background()))
	require.NotContains(t, log.String(), notUsed)
}

// The cache does not grow without end: what was not used for the longest time
// goes first.
func TestOldCodeIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for i := range 70 {
		path := filepath.Join(dir, fmt.Sprintf("%02d.code", i))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		at := time.Now().Add(-time.Duration(i+1) * time.Hour)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	start(t, dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 64)
	require.FileExists(t, filepath.Join(dir, "00.code"))
	require.NoFileExists(t, filepath.Join(dir, "69.code"))
	require.Contains(t, start(t, dir), fromDisk)
}
