//go:build !wasip1

package sdk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNativeBuildExplainsItself(t *testing.T) {
	t.Cleanup(func() { registered = nil })
	Register(Plugin{Name: "greeter", Version: "1.0.0", Handle: nothing})
	var b strings.Builder
	explain(&b)
	require.Contains(t, b.String(), "runtime: process")
	require.Contains(t, b.String(), "-buildmode=c-shared -o greeter.wasm")
}
