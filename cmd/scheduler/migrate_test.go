package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMigrateWantsOneDirection(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		says string
	}{
		{"none", []string{"migrate"}, "usage: scheduler migrate up|down|status"},
		{"two", []string{"migrate", "up", "down"}, "usage: scheduler migrate up|down|status"},
		{"another", []string{"migrate", "sideways"}, `"sideways" is not one of up, down, status`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShell(t)
			s.vars["PORT"] = "http" // usage comes before the configuration
			require.Equal(t, exitUsage, s.run(t.Context(), tc.args...))
			require.Contains(t, s.err.String(), tc.says)
			require.NotContains(t, s.err.String(), "PORT")
			require.Empty(t, s.out.String())
		})
	}
}

func TestMigrateUpDownAndUp(t *testing.T) {
	s := newShell(t)
	require.NoError(t, os.Mkdir(s.vars["DATA_DIR"], 0o700))
	for _, step := range []struct{ direction, shows string }{
		{"up", " applied 2"}, {"up", " applied 2"}, {"status", " applied 2"}, {"down", " pending\n"}, {"status", " pending\n"}, {"up", " applied 2"},
	} {
		s.out, s.err = buffer{}, buffer{}
		require.Equal(t, exitOK, s.run(t.Context(), "migrate", step.direction), s.err.String())
		require.Contains(t, s.out.String(), "0001_scheduler", step.direction)
		require.Contains(t, s.out.String(), step.shows, step.direction)
	}
}

// TestMigrateOnANewMachine: the first start makes the directory, so does this.
func TestMigrateOnANewMachine(t *testing.T) {
	s := newShell(t)
	require.Equal(t, exitOK, s.run(t.Context(), "migrate", "up"), s.err.String())
	require.Contains(t, s.out.String(), " applied 2")
}

func TestMigrateStatusMakesNothing(t *testing.T) {
	s := newShell(t)
	status := func() {
		s.out = buffer{}
		require.Equal(t, exitOK, s.run(t.Context(), "migrate", "status"), s.err.String())
		require.Equal(t, "no database yet: "+filepath.Join(s.vars["DATA_DIR"], "scheduler.db")+"\n", s.out.String())
	}
	status()
	require.NoDirExists(t, s.vars["DATA_DIR"])
	require.NoError(t, os.Mkdir(s.vars["DATA_DIR"], 0o700))
	status()
	made, err := os.ReadDir(s.vars["DATA_DIR"])
	require.NoError(t, err)
	require.Empty(t, made)
}

func TestMigrateSaysWhatFailed(t *testing.T) {
	s := newShell(t)
	s.vars["DATA_DIR"] = s.pluginsFile // a file
	require.Equal(t, exitError, s.run(t.Context(), "migrate", "up"))
	require.Contains(t, s.err.String(), s.pluginsFile)
}
