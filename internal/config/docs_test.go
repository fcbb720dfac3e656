package config_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/config"
)

const page = "../../docs/configuration.md"

// documented reads the table of docs/configuration.md: variable to default.
func documented(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| ([^|]*?) *\\|")
	rows := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(raw), -1) {
		require.NotContains(t, rows, m[1], "documented twice")
		rows[m[1]] = m[2]
	}
	require.Greater(t, len(rows), 15)
	return rows
}

func TestEveryVariableIsDocumented(t *testing.T) {
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	read := map[string]bool{}
	for _, name := range variables(t) {
		read[name] = true
		base, file := strings.CutSuffix(name, "_FILE")
		if file {
			require.Contains(t, string(raw), "`NAME_FILE=")
		}
		require.Regexp(t, "`"+base+"[`=]", string(raw), "%s is not documented", base)
	}
	for name := range documented(t) {
		require.True(t, read[name], "%s is documented and never read", name)
	}
}

func TestTheDocumentedDefaultsAreTheRealOnes(t *testing.T) {
	c, err := config.Load(env{}.get)
	require.NoError(t, err)
	number, millis := strconv.Itoa, func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	want := map[string]string{
		"HOST": c.Host, "PORT": number(c.Port), "NODE_ENV": c.Env, "DATA_DIR": c.DataDir, "PLUGINS_CONFIG": c.PluginsConfig, "PLUGIN_UID": number(c.PluginUID),
		"MAX_CONCURRENT_TASKS": number(c.MaxConcurrentTasks), "DEFAULT_TIMEOUT": millis(c.DefaultTimeout),
		"RETRY_ATTEMPTS": number(c.RetryAttempts), "RETRY_DELAY": millis(c.RetryDelay), "MIN_INTERVAL": millis(c.MinInterval),
		"MAINTENANCE_INTERVAL": millis(c.MaintenanceInterval), "HISTORY_RETENTION": millis(c.HistoryRetention), "HISTORY_PER_TASK": number(c.HistoryPerTask),
		"QUEUE_PREFIX": c.QueuePrefix, "MAX_QUEUE_SIZE": number(c.MaxQueueSize), "QUEUE_CONCURRENCY": number(c.QueueConcurrency),
		"SHUTDOWN_GRACE": millis(c.ShutdownGrace), "LOG_LEVEL": c.LogLevel, "LOG_FORMAT": c.LogFormat,
		"NODE_ID": "", "NOTIFICATION_SERVICE_URL": "", "CONFIG_SERVICE_URL": "", "DATABASE_URL": "", "REDIS_URL": "", "RABBITMQ_URL": "", // words, and nothing
	}
	quoted := regexp.MustCompile("^`([^`]+)`")
	for name, text := range documented(t) {
		require.Contains(t, want, name, "a new variable: say here what its default is")
		value := ""
		if m := quoted.FindStringSubmatch(text); m != nil {
			value = m[1]
		}
		require.Equal(t, want[name], value, name)
		delete(want, name)
	}
	require.Empty(t, want, "not in the table")
}

// TestTheDocumentedDefaultsAreUnderstood feeds the table back.
func TestTheDocumentedDefaultsAreUnderstood(t *testing.T) {
	want, err := config.Load(env{}.get)
	require.NoError(t, err)
	said := env{}
	for name, text := range documented(t) {
		if m := regexp.MustCompile("^`([^`]+)`").FindStringSubmatch(text); m != nil {
			said[name] = m[1]
		}
	}
	got, err := config.Load(said.get)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
