package sqlstore

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// fileLock is a held lock file. The operating system lets go of the lock when
// the process ends, however it ends, so a file that was left behind locks
// nobody out.
type fileLock struct{ f *os.File }

// lockFile takes the lock, or fails with an error that says who has it. now is
// for the note that another process would read.
func lockFile(path string, now time.Time) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	held, err := tryLock(f)
	if err != nil || !held {
		holder := readHolder(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, fmt.Errorf("it is in use by %s; stop that process, or use another file: "+
			"one process has the database at a time (several nodes need PostgreSQL)", holder)
	}
	if err := writeHolder(f, now); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{f: f}, nil
}

// Close lets go. The file stays: removing it would let two processes hold locks
// on two files of the same name.
func (l *fileLock) Close() error { return l.f.Close() }

// writeHolder notes who we are, for the message another process prints.
func writeHolder(f *os.File, now time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	note := fmt.Sprintf("process %d on %s, since %s\n", os.Getpid(), host, now.UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(note), 0)
	return err
}

func readHolder(f *os.File) string {
	note, err := io.ReadAll(io.LimitReader(f, 512))
	if err != nil || len(note) == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(note))
}
