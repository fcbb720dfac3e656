package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDoctor(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitOK, s.run(t.Context(), "doctor"), s.out.String())
	require.Regexp(t, `(?m)^ok +database +SQLite: `, s.out.String())
	require.Regexp(t, `(?m)^warn +notification`, s.out.String())

	s = newShell(t)
	s.vars["DATABASE_URL"] = "postgresql://u:hunter2@127.0.0.1:1/x"
	require.Equal(t, exitError, s.run(t.Context(), "doctor"))
	require.Regexp(t, `(?m)^fail +database`, s.out.String())
	require.NotContains(t, s.out.String()+s.err.String(), "hunter2")
	require.Equal(t, exitUsage, s.run(t.Context(), "doctor", "now"))
}

func TestReadyWithoutAService(t *testing.T) {
	s := newShell(t)
	s.vars["PORT"] = "1"
	require.Equal(t, exitError, s.run(t.Context(), "ready"))
	require.Contains(t, s.err.String(), "not ready: ")
	require.Equal(t, exitUsage, s.run(t.Context(), "ready", "now"))
}
