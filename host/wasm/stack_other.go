//go:build !linux

package wasm

import "github.com/tetratelabs/wazero/api"

// stack leaves it to the engine here what functions run on.
type stack struct{}

func newStack() (*stack, error) { return &stack{}, nil }

func (*stack) carry(api.Function) error { return errEngine }

func (*stack) relax() {}

func (*stack) trim() {}

func (*stack) free() {}

func (*stack) usable() []byte { return nil }
