package process

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

const (
	directoryPrefix = "scheduler-plugins-"
	newDirectory    = time.Minute // a younger one may not be locked yet

	// maxDirectory is what the path may have for the path of a socket in it, two
	// random names deeper, to fit into the 107 bytes that the kernel takes.
	maxDirectory = 107 - len("/plugin-dir1234567890/plugin1234567890")
)

// directory is where the sockets of one server are. It is locked as long as the
// server lives, so that another can tell what was left behind.
type directory struct {
	path string
	lock *os.File
}

// openDirectory makes the directory and removes those of servers that are gone.
func openDirectory(parent string, passable bool, now time.Time, logger hclog.Logger) (*directory, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, err
	}
	removeOrphans(parent, now, logger)
	path, err := os.MkdirTemp(parent, directoryPrefix)
	if err != nil {
		return nil, fmt.Errorf("create directory for sockets: %w", err)
	}
	if len(path) > maxDirectory {
		_ = os.Remove(path)
		return nil, fmt.Errorf("%s is too long for sockets; choose a shorter directory", parent)
	}
	if passable { // another user reaches its own directory in here
		if err := os.Chmod(path, 0o711); err != nil { //nolint:gosec // nothing can be listed
			return nil, fmt.Errorf("open directory for sockets: %w", err)
		}
	}
	lock, err := lockDirectory(path)
	if err != nil {
		return nil, fmt.Errorf("lock directory for sockets: %w", err)
	}
	return &directory{path: path, lock: lock}, nil
}

// lockDirectory takes the lock, which ends with the server.
func lockDirectory(path string) (*os.File, error) {
	f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0) //nolint:gosec // a directory of ours
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// removeOrphans removes directories of this user that no server has locked.
func removeOrphans(parent string, now time.Time, logger hclog.Logger) {
	found, _ := filepath.Glob(filepath.Join(parent, directoryPrefix+"*")) // the pattern is well formed
	for _, path := range found {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < newDirectory {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		lock, err := lockDirectory(path)
		if err != nil {
			continue // in use
		}
		removeAll(path)
		_ = lock.Close()
		logger.Info("removed sockets of plugins of a server that is gone", "path", path)
	}
}

// removeAll removes a directory with those in it, which were closed to writing.
func removeAll(path string) {
	entries, _ := os.ReadDir(path) // what cannot be read is left
	for _, e := range entries {
		if e.IsDir() {
			_ = os.Chmod(filepath.Join(path, e.Name()), 0o700) //nolint:gosec // a directory
		}
	}
	_ = os.RemoveAll(path)
}

func (d *directory) close() error {
	removeAll(d.path)
	return d.lock.Close()
}
