package wasm

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockDirectory takes the lock of a directory, which ends with the server. It
// fails with errLocked when another has it.
func lockDirectory(path string) (*os.File, error) {
	f, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0) //nolint:gosec // a directory of ours
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, err
	}
	return f, nil
}
