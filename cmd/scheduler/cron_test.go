package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCronNext(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitOK, s.run(t.Context(), "cron", "next", "30 2 * * *",
		"--timezone", "Europe/Berlin", "--from", "2026-03-28T12:00:00Z", "--count", "2"), s.err.String())
	require.Equal(t, "2026-03-29T01:00:00Z  Sun 2026-03-29 03:00:00 +02:00  DST_GAP\n"+
		"2026-03-30T00:30:00Z  Mon 2026-03-30 02:30:00 +02:00\n", s.out.String())
}

func TestCronExplain(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitOK, s.run(t.Context(), "cron", "explain", "0", "0", "13", "*", "FRI", "--from", "2026-03-28T12:00:00Z"), s.err.String())
	require.Contains(t, s.out.String(), "13")
	require.Contains(t, s.out.String(), "warning DOM_DOW_OR: ")
}

func TestCronUsage(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nothing", nil, exitUsage, "usage: scheduler cron"},
		{"another verb", []string{"list"}, exitUsage, "usage: scheduler cron"},
		{"no expression", []string{"next"}, exitUsage, "usage: scheduler cron"},
		{"unknown flag", []string{"next", "@daily", "--zone", "UTC"}, exitUsage, "-zone"},
		{"help", []string{"next", "@daily", "--help"}, exitOK, "IANA time zone"},
		{"bad expression", []string{"next", "61 * * * *"}, exitError, "61"},
		{"bad zone", []string{"next", "@daily", "--timezone", "Mars"}, exitError, "Mars"},
		{"bad from", []string{"next", "@daily", "--from", "now"}, exitError, "--from is no time"},
		{"bad count", []string{"next", "@daily", "--count", "0"}, exitError, "--count 0 is out of 1–1000"},
		{"over", []string{"next", "0 0 0 1 1 * 2020", "--from", "2026-01-01T00:00:00Z"}, exitOK, "no further occurrence"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShell(t)
			require.Equal(t, tc.code, s.run(t.Context(), append([]string{"cron"}, tc.args...)...))
			require.Contains(t, s.err.String(), tc.says)
			require.Empty(t, s.out.String())
		})
	}
}
