//go:build !race

package wasm_test

// raced is described in race_test.go.
const raced = false
