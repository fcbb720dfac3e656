//go:build unix

package app

import "golang.org/x/sys/unix"

// writable fails when the server may make no files in a directory.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
