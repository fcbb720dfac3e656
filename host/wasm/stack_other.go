//go:build !linux

package wasm

import (
	"errors"

	"github.com/tetratelabs/wazero/api"
)

// stack leaves it to the engine here what functions run on.
type stack struct{}

func newStack() (*stack, error) { return &stack{}, nil }

var errSystem = errors.New("this system has no stacks for modules")

func (*stack) carry(api.Function) error { return errSystem }

func (*stack) relax() {}

func (*stack) trim() {}

func (*stack) free() {}

func (*stack) usable() []byte { return nil }
