package app_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lib/pq"
	amqp "github.com/rabbitmq/amqp091-go"
	redisdriver "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/app"
)

// about gathers what the doctor says about a thing, with the worst grade.
func about(findings []app.Finding, thing string) (grade app.Grade, text string) {
	rank := map[app.Grade]int{"": 0, app.GradeOK: 1, app.GradeWarn: 2, app.GradeFail: 3}
	for _, f := range findings {
		if f.About != thing {
			continue
		}
		text += f.Text + "\n" + f.Advice + "\n"
		if rank[f.Grade] > rank[grade] {
			grade = f.Grade
		}
	}
	return grade, text
}

func TestTheDoctorOfAFreshInstallation(t *testing.T) {
	e := newEnv(t)
	findings := app.Examine(t.Context(), e.config(t))
	for thing, word := range map[string]string{"data": "made at the start", "database": "made at the start"} {
		grade, text := about(findings, thing)
		require.Equal(t, app.GradeOK, grade, text)
		require.Contains(t, text, word)
	}
	_, err := os.Stat(filepath.Join(e["DATA_DIR"], app.DatabaseName))
	require.ErrorIs(t, err, os.ErrNotExist, "looking makes nothing")
}

func TestTheDoctorBesideARunningService(t *testing.T) {
	e := newEnv(t)
	e.start(t)
	findings := app.Examine(t.Context(), e.config(t))
	grade, text := about(findings, "schema")
	require.Equal(t, app.GradeOK, grade)
	require.Contains(t, text, "migrations are applied")
}

func TestTheDoctorNamesWhatIsWrong(t *testing.T) {
	for thing, c := range map[string]struct {
		vars  []string
		grade app.Grade
		text  string
	}{
		"database":     {[]string{"DATABASE_URL=postgresql://u:hunter2@127.0.0.1:1/x"}, app.GradeFail, "connection refused"},
		"redis":        {[]string{"DATABASE_URL=postgresql://127.0.0.1:1/x", "REDIS_URL=redis://u:hunter2@127.0.0.1:1"}, app.GradeWarn, "see that Redis runs"},
		"rabbitmq":     {[]string{"DATABASE_URL=postgresql://127.0.0.1:1/x", "RABBITMQ_URL=amqp://u:hunter2@127.0.0.1:1"}, app.GradeWarn, "see that RabbitMQ runs"},
		"notification": {[]string{"NOTIFICATION_SERVICE_URL=http://127.0.0.1:1"}, app.GradeWarn, "does not answer"},
	} {
		t.Run(thing, func(t *testing.T) {
			t.Parallel()
			grade, text := about(app.Examine(t.Context(), newEnv(t, c.vars...).config(t)), thing)
			require.Equal(t, c.grade, grade)
			require.Contains(t, text, c.text)
			require.NotContains(t, text, "hunter2")
		})
	}
	e := newEnv(t)
	e.plugins(t, "plugins:\n  - {type: x, runtime: wasm, source: none.wasm}\n")
	grade, text := about(app.Examine(t.Context(), e.config(t)), "plugins")
	require.Equal(t, app.GradeFail, grade)
	require.Contains(t, text, "none.wasm")
}

// Every layer is named, in the words of GET /plugins, whatever plugins there are.
func TestTheDoctorsTableOfConfinement(t *testing.T) {
	_, text := about(app.Examine(t.Context(), newEnv(t).config(t)), "confinement")
	want := []string{"wasm: sandbox: on", "wasm: resetByPages: o", "wasm: stack: o"}
	if runtime.GOOS == "linux" {
		for _, mechanism := range []string{"uid", "capabilities", "noNewPrivileges", "limits", "landlock", "seccomp", "sealedProgram", "diesWithHost", "cgroup"} {
			want = append(want, "process: "+mechanism+": ")
		}
		want = append(want, "\ngive the service a cgroup")
	}
	for _, line := range want {
		require.Contains(t, text, line)
	}
}

// The doctor leaves the directory of the service as it was, byte by byte.
func TestTheDoctorChangesNothing(t *testing.T) {
	list := "plugins: []\n"
	config := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, list) }))
	defer config.Close()
	e := withPlugins(t)
	dir := filepath.Dir(e["PLUGINS_CONFIG"])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.wasm"), answering("1"), 0o600))
	e.plugins(t, "plugins:\n  - {type: x, runtime: wasm, source: x.wasm}\n")
	require.NoError(t, os.MkdirAll(e["DATA_DIR"], 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(e["DATA_DIR"], "plugins.list.yaml"), []byte("plugins: [] # kept\n"), 0o600))
	for _, url := range []string{"", config.URL} {
		e["CONFIG_SERVICE_URL"] = url
		before := contents(t, e["DATA_DIR"])
		grade, text := about(app.Examine(t.Context(), e.config(t)), "plugins")
		require.NotEqual(t, app.GradeFail, grade, text)
		require.Equal(t, before, contents(t, e["DATA_DIR"]))
		if url == "" {
			require.Contains(t, text, "x is ")
		}
	}
}

// contents are the files and directories below dir, with the time of their last
// change.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			found[path] = info.ModTime().String()
		}
		return err
	}))
	return found
}

// The real services, when the test command has started them.
func TestTheDoctorOfACluster(t *testing.T) {
	database := os.Getenv("TEST_DATABASE_URL")
	if database == "" {
		if testing.Short() {
			t.Skip("needs Postgres, Redis and RabbitMQ")
		}
		t.Fatal("TEST_DATABASE_URL is not set: run `make test`, or with -short")
	}
	findings := app.Examine(t.Context(), newEnv(t, "DATABASE_URL="+database,
		"REDIS_URL="+os.Getenv("TEST_REDIS_URL"), "RABBITMQ_URL="+os.Getenv("TEST_RABBITMQ_URL")).config(t))
	for thing, word := range map[string]string{"database": "PostgreSQL ", "redis": "Redis ", "rabbitmq": "RabbitMQ "} {
		grade, text := about(findings, thing)
		require.Equal(t, app.GradeOK, grade, text)
		require.True(t, strings.HasPrefix(text, word), text)
	}
}

// Servers that answer and do not take the configuration.
func TestTheDoctorTellsWhyAServerDoesNotTakeUs(t *testing.T) {
	e := newEnv(t)
	for name, value := range clusterEnv(t) {
		e[name] = value
	}
	changed := func(name string, change func(u *url.URL)) string {
		u, err := url.Parse(e[name])
		require.NoError(t, err)
		change(u)
		return name + "=" + u.String()
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	onTLS := func(u *url.URL) { u.Host = secure.Listener.Addr().String() }
	who := func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2") }
	for _, c := range []struct {
		name, thing, variable string
		hint                  string
	}{
		{"role", "database", changed("DATABASE_URL", who), "refuses this user"},
		{"database", "database", changed("DATABASE_URL", func(u *url.URL) { u.Path = "/none" }), "create the database"},
		{"tls", "database", changed("DATABASE_URL", func(u *url.URL) { u.RawQuery = "sslmode=require" }), "do not agree about TLS: see to sslmode"},
		{"redis user", "redis", changed("REDIS_URL", who), "refuses this user"},
		{"redis index", "redis", changed("REDIS_URL", func(u *url.URL) { u.Path = "/99" }), "use the index of a database"},
		{"rabbitmq user", "rabbitmq", changed("RABBITMQ_URL", who), "refuses this user"},
		{"vhost", "rabbitmq", changed("RABBITMQ_URL", func(u *url.URL) { u.Path = "/none" }), "create the vhost"},
		{"amqp", "rabbitmq", changed("RABBITMQ_URL", onTLS), "do not agree about TLS: use amqps"},
		{"redis", "redis", changed("REDIS_URL", onTLS), "do not agree about TLS: use rediss"},
		{"amqps", "rabbitmq", changed("RABBITMQ_URL", func(u *url.URL) { u.Scheme = "amqps" }), "do not agree about TLS: use amqps"},
		{"rediss", "redis", changed("REDIS_URL", func(u *url.URL) { u.Scheme = "rediss" }), "do not agree about TLS: use rediss"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			grade, text := about(app.Examine(t.Context(), maps.Clone(e).with(c.variable).config(t)), c.thing)
			require.Equal(t, app.GradeFail, grade, text)
			require.Contains(t, text, c.hint)
			require.NotContains(t, text, "hunter2")
			require.NotContains(t, text, "runs there")
		})
	}
}

// What the servers of the tests do not say.
func TestTheTroubleWithOtherServers(t *testing.T) {
	for err, want := range map[error]string{
		&pq.Error{Code: "28P01"}: "credentials", // a wrong password
		&pq.Error{Code: "42501"}: "credentials", // no permission on the database
		&pq.Error{Code: "28000", Message: `no pg_hba.conf entry for host "h", user "u", database "d", no encryption`}: "tls",
		&pq.Error{Code: "53300"}:     "answers", // too many connections
		x509.UnknownAuthorityError{}: "tls",
		&net.OpError{Err: io.EOF}:    "away",
		amqp.ErrVhost:                "missing",
		&amqp.Error{Code: 403}:       "away", // not of the server
		errors.New("anything"):       "away",
		context.DeadlineExceeded:     "away",
		redisdriver.TxFailedErr:      "answers",
	} {
		require.Equal(t, want, app.TroubleWith(fmt.Errorf("check: %w", err)), "%v", err)
	}
}
