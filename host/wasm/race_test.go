//go:build race

package wasm_test

// raced tells that the race detector looks on. It looks at all bytes of a large
// copy at once, and the collector waits for it.
const raced = true
