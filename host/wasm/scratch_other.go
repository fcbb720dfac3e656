//go:build !linux

package wasm

import (
	"errors"
	"os"
)

// lockDirectory fails: what a killed server leaves behind stays here.
func lockDirectory(string) (*os.File, error) { return nil, errors.ErrUnsupported }
