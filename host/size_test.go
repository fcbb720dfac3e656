package host_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]host.Size{"1B": 1, "64MiB": 64 << 20, "2GiB": 2 << 30, "512 KiB": 512 << 10} {
		got, err := host.ParseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "64", "64MB", "-1KiB", "0B", "1.5GiB", "KiB", "9223372036854775807KiB", "1e3B"} {
		_, err := host.ParseSize(text)
		require.Error(t, err, text)
	}
}

func TestSizeString(t *testing.T) {
	for size, want := range map[host.Size]string{1: "1B", 1023: "1023B", 1024: "1KiB", 1536: "1536B", 64 << 20: "64MiB", 3 << 30: "3GiB"} {
		require.Equal(t, want, size.String())
	}
}
