//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withoutServices lets the test start its own, also where the tests run beside
// some.
func withoutServices(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts services")
	}
	for _, name := range []string{"TEST_DATABASE_URL", "TEST_REDIS_URL", "TEST_RABBITMQ_URL"} {
		t.Setenv(name, "")
	}
	t.Setenv("TMPDIR", shortTempDir(t))
}

// shortTempDir is a directory whose name leaves room for a socket's, and that
// every user may enter.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ws") //nolint:usetesting // t.TempDir has long names
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestTheCommandFindsItsServicesAndNothingIsLeft(t *testing.T) {
	withoutServices(t)
	var stdout, stderr bytes.Buffer
	script := `env | grep '^TEST_' | sort; sleep 300 & exit 7` // and leaves something behind
	require.Equal(t, 7, run([]string{"--", "sh", "-c", script}, &stdout, &stderr), "%s", &stderr)

	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	require.Len(t, lines, 3)
	for i, prefix := range []string{"TEST_DATABASE_URL=postgresql://", "TEST_RABBITMQ_URL=amqp://", "TEST_REDIS_URL=redis://"} {
		require.True(t, strings.HasPrefix(lines[i], prefix), lines[i])
		require.Contains(t, stderr.String(), lines[i], "what was started is not said")
		_, address, _ := strings.Cut(lines[i], "=")
		require.False(t, answers(t, address), "%s is left", lines[i])
	}
	requireEmpty(t, os.Getenv("TMPDIR"))
}

func TestAServiceThatIsNamedIsNotStarted(t *testing.T) {
	withoutServices(t)
	t.Setenv("TEST_DATABASE_URL", "postgresql://elsewhere")
	var stdout, stderr bytes.Buffer
	code := run([]string{"-only", "postgres", "--", "sh", "-c", "echo $TEST_DATABASE_URL$TEST_REDIS_URL"}, &stdout, &stderr)
	require.Zero(t, code)
	require.Equal(t, "postgresql://elsewhere\n", stdout.String())
	require.Empty(t, stderr.String())
}

func TestNothingOutlivesAKilledProgram(t *testing.T) {
	withoutServices(t)
	for name, end := range map[string]syscall.Signal{"asked to end": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), "withservices")
			out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
			require.NoError(t, err, "%s", out)
			cmd := exec.Command(binary, "-only", "postgres,redis", "--", "sh", "-c", "echo $TEST_DATABASE_URL $TEST_REDIS_URL; exec sleep 300")
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			line := make([]byte, 1024)
			n, err := stdout.Read(line)
			require.NoError(t, err)
			urls := strings.Fields(string(line[:n]))
			require.Len(t, urls, 2)
			for _, u := range urls {
				require.True(t, answers(t, u))
			}

			require.NoError(t, cmd.Process.Signal(end))
			_ = cmd.Wait()
			for _, u := range urls {
				require.Eventually(t, func() bool { return !answers(t, u) }, 10*time.Second, 20*time.Millisecond, u)
			}
			require.Eventually(t, func() bool {
				left, err := os.ReadDir(os.Getenv("TMPDIR"))
				return err == nil && !hasPrefix(left, "withservices")
			}, 10*time.Second, 50*time.Millisecond, "the directory is left")
		})
	}
}

func TestAServerThatEndsIsQuoted(t *testing.T) {
	h, err := newHouse(&bytes.Buffer{})
	require.NoError(t, err)
	defer h.close()
	p, err := h.run(exec.Command("sh", "-c", "echo no such thing; exit 3"), filepath.Join(h.dir, "log"), syscall.SIGKILL)
	require.NoError(t, err)
	err = p.await(t.Context(), func(context.Context) error { return errors.New("nobody answers") })
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "no such thing")
}

func TestAMissingProgramNamesItsPackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no apt-get either
	nothing := service{binary: func() (string, error) { return find("thing-server", "thing-server") }, packages: []string{"thing"}}
	err := install(t.Context(), []service{nothing}, &bytes.Buffer{})
	require.ErrorContains(t, err, "thing-server is not installed")
	require.ErrorContains(t, err, "install these packages (names as in Debian): thing;")
}

func TestTheCommandLineIsChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"no command":            {"-only", "redis"},
		`"mysql" is not one of`: {"-only", "redis,mysql", "--", "true"},
		"not defined":           {"-x"},
	} {
		var stderr bytes.Buffer
		require.Equal(t, 2, run(args, &bytes.Buffer{}, &stderr))
		require.Contains(t, stderr.String(), want)
	}
}

// answers reports whether somebody listens where a URL points.
func answers(t *testing.T, address string) bool {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.False(t, hasPrefix(left, "withservices"), "%v", left)
}

func hasPrefix(entries []os.DirEntry, prefix string) bool {
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			return true
		}
	}
	return false
}
