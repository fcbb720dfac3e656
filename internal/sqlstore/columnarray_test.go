package sqlstore

import (
	"database/sql"
	"runtime"
	"strings"
	"testing"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

func TestAColumnIsAnArrayThatPostgresReads(t *testing.T) {
	rows := []any{`plain`, int64(7), `with "quotes" and \ and ,{}`, int64(-1), nil, nil, ``, int64(0)}
	texts, err := columnArray{rows: rows, first: 0, step: 2}.Value()
	require.NoError(t, err)
	require.Equal(t, `{"plain","with \"quotes\" and \\ and ,{}",NULL,""}`, texts)
	numbers, err := columnArray{rows: rows, first: 1, step: 2}.Value()
	require.NoError(t, err)
	require.Equal(t, `{7,-1,NULL,0}`, numbers)
	var read []sql.NullString
	require.NoError(t, pq.Array(&read).Scan(texts))
	require.Equal(t, rows[2], read[1].String)
}

// A result may be large, and the others of its group small.
func TestAColumnTakesAsMuchMemoryAsItsTexts(t *testing.T) {
	const large = 4 << 20
	rows := make([]any, 500)
	for i := range rows {
		rows[i] = "{}"
	}
	rows[0] = strings.Repeat("x", large)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := columnArray{rows: rows, step: 1}.Value()
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(3*large))
}
