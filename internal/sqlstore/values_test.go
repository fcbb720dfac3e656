package sqlstore

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// Every comparison of times in SQL is one of texts.
func TestTheOrderOfTimestampTextsIsThatOfTimes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
	text := func(at time.Time) string {
		v, err := stamp(at).Value()
		require.NoError(t, err)
		return v.(string)
	}
	for range 1000 {
		a := time.UnixMicro(random.Int64N(last)).In(time.FixedZone("", random.IntN(86400)-43200))
		b := a.Add(time.Duration(random.Int64N(int64(4 * time.Second))))
		ta, tb := text(a), text(b)
		require.Len(t, ta, 27)
		require.Equal(t, core.Instant(a).Before(core.Instant(b)), ta < tb, "%s %s", ta, tb)

		var back timestamp
		require.NoError(t, back.Scan(ta))
		require.Equal(t, core.Instant(a), back.Time)
	}
}

func TestTimestampsScanWhatDatabasesGive(t *testing.T) {
	at := time.Date(2026, 3, 8, 2, 30, 0, 1000, time.UTC)
	for _, src := range []any{"2026-03-08T02:30:00.000001Z", at, at.In(time.FixedZone("", 3600))} {
		var got timestamp
		require.NoError(t, got.Scan(src))
		require.Equal(t, at, got.Time)
	}
	var none timestamp
	require.NoError(t, none.Scan(nil))
	require.Nil(t, none.pointer())
	require.Error(t, none.Scan("yesterday"))
	require.Error(t, none.Scan(int64(1)))
}

// BenchmarkTimestamp is what an instant costs as text, written and read back;
// as an integer it would be next to nothing. An execution has seven of them, and
// a claim and a finish cost some hundred microseconds.
func BenchmarkTimestamp(b *testing.B) {
	at := stamp(time.Now())
	for b.Loop() {
		text, err := at.Value()
		if err != nil {
			b.Fatal(err)
		}
		if err := at.Scan(text); err != nil {
			b.Fatal(err)
		}
	}
}
