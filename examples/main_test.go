package examples_test

import (
	"os"
	"path/filepath"
	"testing"
)

// cacheDir keeps compiled code for all tests: compiling a Go program takes
// seconds, and half a minute with the race detector.
var cacheDir string

// runIfChild turns the test into a plugin's confined process, where it was
// started as one.
var runIfChild = func() {}

func TestMain(m *testing.M) {
	runIfChild()
	dir, err := os.MkdirTemp("", "examples-")
	if err != nil {
		panic(err)
	}
	cacheDir = filepath.Join(dir, "cache")
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
