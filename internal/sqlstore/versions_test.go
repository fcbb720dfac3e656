package sqlstore_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/coretest"
)

// Versions up to 3.51.2 can corrupt the write-ahead log when a checkpoint meets
// a reset.
func TestSQLiteIsNewEnough(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scheduler.db")
	openStore(t, path, coretest.NewClock(t))
	var version string
	require.NoError(t, rawDB(t, path).Get(&version, `SELECT sqlite_version()`))
	require.GreaterOrEqual(t, slices.Compare(numbers(t, version), []int{3, 51, 3}), 0, "SQLite is %s", version)
}

func numbers(t *testing.T, version string) []int {
	t.Helper()
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		require.NoError(t, err)
		list = append(list, n)
	}
	return list
}

// The driver is translated C and works with exactly the C library that its
// go.mod names; another one compiles and fails at run time.
func TestTheDriverHasTheLibraryItWasBuiltFor(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not here to ask")
	}
	ours := moduleVersion(t, "modernc.org/libc")
	gomod, err := exec.Command("go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite").Output()
	require.NoError(t, err)
	theirs, err := exec.Command("go", "mod", "edit", "-json", strings.TrimSpace(string(gomod))).Output()
	require.NoError(t, err)
	require.Contains(t, strings.Join(strings.Fields(string(theirs)), ""), `"Path":"modernc.org/libc","Version":"`+ours+`"`,
		"modernc.org/libc %s is not what modernc.org/sqlite asks for; set it to the version in its go.mod", ours)
}

func moduleVersion(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
