package rabbitmq

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func TestBundleRoundTrip(t *testing.T) {
	items := []core.QueueItem{
		{ExecutionID: core.NewID(), Type: "reminder", Priority: 9, Rank: core.Instant(time.Now())},
		{ExecutionID: "a", Type: "reminder"},
	}
	body, err := encodeBundle("reminder", items)
	require.NoError(t, err)
	got, err := decodeBundle(bundleContentType, bundleType, body)
	require.NoError(t, err)
	require.Equal(t, items, got)
}

// The encoding is a contract between nodes of different versions.
func TestBundleEncoding(t *testing.T) {
	body, err := encodeBundle("reminder", []core.QueueItem{{ExecutionID: "x", Type: "reminder", Priority: 5, Rank: time.UnixMicro(1_700_000_000_000_001)}})
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"reminder","items":[{"id":"x","p":5,"r":1700000000000001}]}`, string(body))
}

func FuzzDecodeBundle(f *testing.F) {
	f.Add([]byte(`{"type":"reminder","items":[{"id":"x","p":5,"r":1700000000000001}]}`))
	f.Add([]byte(`{"type":"reminder","items":[{"id":"x","p":5e400,"r":-1}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := decodeBundle(bundleContentType, bundleType, body)
		if err != nil {
			return
		}
		require.NotEmpty(t, items)
		again, err := encodeBundle(items[0].Type, items)
		require.NoError(t, err)
		if len(again) > maxBundleBytes {
			return // its text was shorter than ours
		}
		same, err := decodeBundle(bundleContentType, bundleType, again)
		require.NoError(t, err)
		require.Equal(t, items, same)
	})
}
