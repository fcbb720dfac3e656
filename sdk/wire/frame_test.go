package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestFrameRoundTrip(t *testing.T) {
	want := wire.Request{
		ABI: wire.ABI, ContentType: wire.ContentJSON,
		Execution: wire.Execution{
			ID: "e1", TaskID: "t1", TaskName: "Größe", Type: "reminder", Trigger: "manual", Attempt: 2, MaxAttempts: 3,
			Token: 1<<62 + 1, NominalTime: time.Date(2026, 3, 1, 9, 0, 0, 1, time.UTC),
		},
	}
	for _, payload := range [][]byte{nil, []byte(`{"a":1}`), bytes.Repeat([]byte{0, 0xff}, 1<<16)} {
		frame, err := wire.Encode(want, payload)
		require.NoError(t, err)

		var got wire.Request
		rest, err := wire.Decode(frame, &got)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.True(t, bytes.Equal(payload, rest))
	}
}

// The layout is what plugins in other languages are written against.
func TestFrameLayout(t *testing.T) {
	frame, err := wire.Encode(map[string]int{"a": 1}, []byte("xy"))
	require.NoError(t, err)
	require.Equal(t, []byte("\x07\x00\x00\x00{\"a\":1}xy"), frame)
}

func TestFrameRefusesMalformedBytes(t *testing.T) {
	huge := binary.LittleEndian.AppendUint32(nil, 1<<31)
	tests := map[string][]byte{
		"empty":                  nil,
		"short length":           {1, 0, 0},
		"header beyond the end":  []byte("\x08\x00\x00\x00{\"a\":1}"),
		"header beyond 2 GiB":    append(huge, "{}"...),
		"header is no JSON":      []byte("\x02\x00\x00\x00{x"),
		"header of another type": []byte("\x02\x00\x00\x00[]"),
	}
	for name, frame := range tests {
		t.Run(name, func(t *testing.T) {
			var header wire.Response
			_, err := wire.Decode(frame, &header)
			require.ErrorIs(t, err, wire.ErrFrame)
		})
	}
}

func TestEncodeRefusesHugeHeader(t *testing.T) {
	_, err := wire.Encode(strings.Repeat("x", wire.MaxHeader), nil)
	require.ErrorContains(t, err, "at most")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00{}payload"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		header, payload, err := wire.Split(frame)
		if err != nil {
			return
		}
		require.Equal(t, len(frame), 4+len(header)+len(payload))
		if json.Valid(header) {
			var any json.RawMessage
			_, err := wire.Decode(frame, &any)
			require.NoError(t, err)
		}
	})
}
