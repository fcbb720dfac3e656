package schedule_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

// TestOCPS holds the parser against the Open Cron Pattern Specification.
func TestOCPS(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/ocps.txt")
	require.NoError(t, err)
	cases := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		columns := strings.Split(strings.TrimRight(line, "\n"), "|")
		require.Len(t, columns, 4, line)
		version, pattern := strings.TrimSpace(columns[0]), columns[1]
		verdict, rest := strings.TrimSpace(columns[2]), strings.TrimSpace(columns[3])
		cases++
		t.Run(version+" "+strings.TrimSpace(pattern)+" "+verdict, func(t *testing.T) {
			checkOCPS(t, pattern, verdict, rest)
		})
	}
	require.Greater(t, cases, 130)
}

func checkOCPS(t *testing.T, pattern, verdict, rest string) {
	t.Helper()
	c, err := schedule.ParseCron(pattern, "")
	switch verdict {
	case "reject":
		require.Error(t, err)
		return
	case "accept":
		require.NoError(t, err)
		return
	case "same":
		require.NoError(t, err)
		other, err := schedule.ParseCron(rest, "")
		require.NoError(t, err)
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		for range 200 {
			require.Equal(t, other.Next(at), c.Next(at))
			at = c.Next(at)
		}
		return
	}
	require.NoError(t, err)
	for text := range strings.SplitSeq(rest, ", ") {
		layout := "2006-01-02 15:04"
		if strings.Count(text, ":") == 2 {
			layout += ":05"
		}
		at, err := time.Parse(layout, text)
		require.NoError(t, err)
		due := c.Next(at.Add(-time.Second)).Equal(at)
		require.Equal(t, verdict == "match", due, text)
	}
}

// A pattern with an impossible date parses; only its use is refused, and at once.
func TestImpossibleDates(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		"0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 31 2 *", "0 0 31W 2 *", "0 0 8 * +MON#1",
		"0 0 0 29 2 * 2025-2027", "0 0 0 29 2 * 2100", "0 0 15 * +FRI#1", "0 0 1 * +MON#L",
	} {
		s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: expr})
		require.True(t, s.Never(), expr)
		_, ok := s.Next(time.Time{})
		require.False(t, ok, expr)
		_, ok = s.Prev(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC))
		require.False(t, ok, expr)
		require.Equal(t, "cronExpression", s.Problem().Field, expr)
	}
}

func compile(tb testing.TB, c schedule.Config) *schedule.Spec {
	tb.Helper()
	s, err := schedule.Compile(c)
	require.NoError(tb, err)
	return s
}
