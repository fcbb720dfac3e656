package wasm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
)

const scratchPrefix = "wasm-scratch-"

var errLocked = errors.New("another server has it")

// scratch is a directory for one compilation. It is locked while the server
// lives, so that another can tell what was left behind.
type scratch struct {
	path string
	lock *os.File // nil where directories cannot be locked
}

// openScratch makes a directory in parent. One that another server took for left
// behind, before it was locked, is made again.
func openScratch(parent string) (*scratch, error) {
	const tries = 10
	for range tries {
		path, err := os.MkdirTemp(parent, scratchPrefix)
		if err != nil {
			return nil, err
		}
		lock, err := lockDirectory(path)
		if errors.Is(err, errLocked) {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return &scratch{path, lock}, nil
		}
		_ = lock.Close() // nil is fine
	}
	return nil, fmt.Errorf("%s: directories for compilations cannot be kept", parent)
}

func (s *scratch) close() {
	_ = os.RemoveAll(s.path) // an empty directory at worst
	_ = s.lock.Close()       // nil is fine
}

// removeLeftScratch removes the directories in parent of servers that were killed.
func removeLeftScratch(parent string, logger hclog.Logger) {
	found, _ := filepath.Glob(filepath.Join(parent, scratchPrefix+"*")) // a pattern that is wrong finds nothing
	for _, path := range found {
		lock, err := lockDirectory(path)
		if err != nil {
			continue // in use, not ours, or nobody can tell
		}
		_ = os.RemoveAll(path)
		_ = lock.Close()
		logger.Info("removed a directory of a server that is gone", "path", path)
	}
}
