package wasm_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host/hosttest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// versioned assembles the n-th plugin of hosttest.TestSwaps.
func versioned(t *testing.T, n int) []byte {
	manifest, err := wire.Encode(wire.Manifest{ABI: wire.ABI, Name: "versioned", Version: hosttest.VersionOf(n)}, nil)
	require.NoError(t, err)
	response, err := wire.Encode(wire.Response{}, fmt.Appendf(nil, "%q", hosttest.VersionOf(n)))
	require.NoError(t, err)
	const at = 512 // of the response
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, vector("\x60\x00\x00", "\x60\x01\x7f\x01\x7f", "\x60\x02\x7f\x7f\x01\x7e", "\x60\x00\x01\x7e"))
	out = section(out, 3, vector("\x00", "\x01", "\x02", "\x03"))
	out = section(out, 5, vector("\x00\x01"))
	out = section(out, 7, vector(append(shifted(0), export("task_describe", 0, 3))...))
	out = section(out, 10, vector(body(nil), body(i32Const(1024)), body(i64Const(at<<32|int64(len(response)))), body(i64Const(int64(len(manifest))))))
	data := func(at int32, content []byte) string {
		return "\x00" + string(i32Const(at)) + "\x0b" + name(string(content))
	}
	return section(out, 11, vector(data(0, manifest), data(at, response)))
}

func TestSwaps(t *testing.T) {
	hosttest.TestSwaps(t, "wasm", newRuntime(t), func(n int) []byte { return versioned(t, n) })
}
