package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/config"
)

// env is an environment.
type env map[string]string

func (e env) get(name string) string { return e[name] }

func TestDefaults(t *testing.T) {
	c, err := config.Load(env{}.get)
	require.NoError(t, err)
	host, _ := os.Hostname()
	require.Equal(t, config.Config{
		Host: "127.0.0.1", Port: 3006, Env: "development",
		DataDir: "./data", PluginsConfig: "./plugins.yaml", NodeID: fmt.Sprintf("%s-%d", host, os.Getpid()),
		MaxConcurrentTasks: 10, DefaultTimeout: 5 * time.Minute, RetryAttempts: 3, RetryDelay: time.Minute,
		MaintenanceInterval: time.Minute, MinInterval: time.Second, HistoryRetention: 90 * 24 * time.Hour,
		QueuePrefix: "scheduler", MaxQueueSize: 1000, QueueConcurrency: 5,
		LogLevel: "info", LogFormat: "json", ShutdownGrace: 20 * time.Second,
	}, c)
	require.Equal(t, "127.0.0.1:3006", c.Address())
}

func TestEveryVariableIsRead(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		got         func(config.Config) any
		want        any
	}{
		{"HOST", "::1", func(c config.Config) any { return c.Host }, "::1"},
		{"HOST", "localhost", func(c config.Config) any { return c.Host }, "localhost"},
		{"PORT", "0", func(c config.Config) any { return c.Port }, 0},
		{"PORT", " 65535 ", func(c config.Config) any { return c.Port }, 65535},
		{"NODE_ENV", "production", func(c config.Config) any { return c.Env }, "production"},
		{"NODE_ENV", "Test", func(c config.Config) any { return c.Env }, "test"},
		{"DATA_DIR", "/var/lib/x y", func(c config.Config) any { return c.DataDir }, "/var/lib/x y"},
		{"PLUGINS_CONFIG", "p.yaml", func(c config.Config) any { return c.PluginsConfig }, "p.yaml"},
		{"NODE_ID", "node-a_1.example", func(c config.Config) any { return c.NodeID }, "node-a_1.example"},
		{"NOTIFICATION_SERVICE_URL", "https://n.example:8443/base", func(c config.Config) any { return c.NotificationServiceURL.String() }, "https://n.example:8443/base"},
		{"MAX_CONCURRENT_TASKS", "100000", func(c config.Config) any { return c.MaxConcurrentTasks }, 100_000},
		{"DEFAULT_TIMEOUT", "1500", func(c config.Config) any { return c.DefaultTimeout }, 1500 * time.Millisecond},
		{"RETRY_ATTEMPTS", "100", func(c config.Config) any { return c.RetryAttempts }, 100},
		{"RETRY_DELAY", "0", func(c config.Config) any { return c.RetryDelay }, time.Duration(0)},
		{"MAINTENANCE_INTERVAL", "1000", func(c config.Config) any { return c.MaintenanceInterval }, time.Second},
		{"MIN_INTERVAL", "1", func(c config.Config) any { return c.MinInterval }, time.Millisecond},
		{"HISTORY_RETENTION", "0", func(c config.Config) any { return c.HistoryRetention }, time.Duration(0)},
		{"HISTORY_PER_TASK", "0", func(c config.Config) any { return c.HistoryPerTask }, 0},
		{"QUEUE_PREFIX", "blue", func(c config.Config) any { return c.QueuePrefix }, "blue"},
		{"MAX_QUEUE_SIZE", "1", func(c config.Config) any { return c.MaxQueueSize }, 1},
		{"QUEUE_CONCURRENCY", "1000", func(c config.Config) any { return c.QueueConcurrency }, 1000},
		{"LOG_LEVEL", "TRACE", func(c config.Config) any { return c.LogLevel }, "trace"},
		{"LOG_FORMAT", "text", func(c config.Config) any { return c.LogFormat }, "text"},
		{"SHUTDOWN_GRACE", "0", func(c config.Config) any { return c.ShutdownGrace }, time.Duration(0)},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			c, err := config.Load(env{tc.name: tc.value}.get)
			require.NoError(t, err)
			require.Equal(t, tc.want, tc.got(c))
		})
	}
}

func TestBlankIsNotSet(t *testing.T) {
	want, err := config.Load(env{}.get)
	require.NoError(t, err)
	blank := env{}
	for _, name := range variables(t) {
		if !strings.HasSuffix(name, "_FILE") && !refused[name] {
			blank[name] = "  "
		}
	}
	got, err := config.Load(blank.get)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestBadValuesAreNamed(t *testing.T) {
	const notWhole, tenYears = "is not a whole number", "316224000000"
	for _, tc := range []struct{ name, value, problem string }{
		{"PORT", "http", notWhole},
		{"PORT", "3006.5", notWhole},
		{"PORT", "99999999999999999999", notWhole},
		{"PORT", "-1", "is out of 0–65535"},
		{"PORT", "65536", "is out of 0–65535"},
		{"NODE_ENV", "staging", "is not one of development, test, production"},
		{"NODE_ID", "a b", "letters, digits"},
		{"NODE_ID", "-a", "letters, digits"},
		{"NODE_ID", strings.Repeat("a", 101), "letters, digits"},
		{"MAX_CONCURRENT_TASKS", "0", "is out of 1–100000"},
		{"MAX_CONCURRENT_TASKS", "100001", "is out of 1–100000"},
		{"DEFAULT_TIMEOUT", "5m", notWhole},
		{"DEFAULT_TIMEOUT", "0", "is out of 1–" + tenYears},
		{"DEFAULT_TIMEOUT", "316224000001", "is out of 1–" + tenYears},
		{"RETRY_ATTEMPTS", "0", "is out of 1–100"},
		{"RETRY_ATTEMPTS", "101", "is out of 1–100"},
		{"RETRY_DELAY", "-1", "is out of 0–" + tenYears},
		{"RETRY_DELAY", "1s", notWhole},
		{"MAINTENANCE_INTERVAL", "999", "is out of 1000–" + tenYears},
		{"MIN_INTERVAL", "0", "is out of 1–" + tenYears},
		{"HISTORY_RETENTION", "-1", "is out of 0–" + tenYears},
		{"HISTORY_RETENTION", "90d", notWhole},
		{"QUEUE_PREFIX", "a/b", "letters, digits"},
		{"MAX_QUEUE_SIZE", "0", "is out of 1–10000000"},
		{"MAX_QUEUE_SIZE", "10000001", "is out of 1–10000000"},
		{"QUEUE_CONCURRENCY", "0", "is out of 1–1000"},
		{"QUEUE_CONCURRENCY", "1001", "is out of 1–1000"},
		{"LOG_LEVEL", "verbose", "is not one of trace, debug, info, warn, error"},
		{"LOG_FORMAT", "xml", "is not one of json, text"},
		{"SHUTDOWN_GRACE", "-1", "is out of 0–" + tenYears},
		{"NOTIFICATION_SERVICE_URL", "n.example", "is not a URL such as http://host:port"},
		{"NOTIFICATION_SERVICE_URL", "ftp://n.example", "is not a URL such as http://host:port"},
		{"NOTIFICATION_SERVICE_URL", "http://", "is not a URL such as http://host:port"},
		{"NOTIFICATION_SERVICE_URL", "http://n.example:x", "is not a URL such as http://host:port"},
	} {
		t.Run(tc.name+"="+tc.value, func(t *testing.T) {
			_, err := config.Load(env{tc.name: tc.value}.get)
			require.ErrorContains(t, err, tc.problem)
			require.Regexp(t, "^"+tc.name+": [^\n]+$", err.Error(), "one line")
		})
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	bad := env{
		"HOST": "0.0.0.0", "PORT": "x", "NODE_ENV": "x", "NODE_ID": "?", "MAX_CONCURRENT_TASKS": "0", "DEFAULT_TIMEOUT": "0",
		"RETRY_ATTEMPTS": "0", "RETRY_DELAY": "x", "MAINTENANCE_INTERVAL": "1", "MIN_INTERVAL": "0", "HISTORY_RETENTION": "x",
		"QUEUE_PREFIX": "?", "MAX_QUEUE_SIZE": "0", "QUEUE_CONCURRENCY": "0", "LOG_LEVEL": "x", "LOG_FORMAT": "x",
		"SHUTDOWN_GRACE": "x", "NOTIFICATION_SERVICE_URL": "x", "DATABASE_URL": "x", "REDIS_URL": "x",
	}
	_, err := config.Load(bad.get)
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, len(bad))
	for _, line := range lines {
		name, problem, _ := strings.Cut(line, ": ")
		require.Contains(t, bad, name)
		require.NotEmpty(t, problem)
		delete(bad, name)
	}
	require.Empty(t, bad, "not told")
}

func TestTheAPIWithoutAuthenticationStaysOnThisMachine(t *testing.T) {
	for host, alone := range map[string]bool{
		"127.0.0.1": true, "127.8.9.10": true, "::1": true, "localhost": true,
		"0.0.0.0": false, "::": false, "192.168.1.7": false, "example.org": false, "localhost.example.org": false,
	} {
		t.Run(host, func(t *testing.T) {
			_, err := config.Load(env{"HOST": host}.get)
			if alone {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "HOST: ")
				require.ErrorContains(t, err, "ALLOW_UNAUTHENTICATED=true")
			}
			_, err = config.Load(env{"HOST": host, "ALLOW_UNAUTHENTICATED": "yes"}.get)
			require.Equal(t, alone, err == nil, "only the word true lifts the guard")
			c, err := config.Load(env{"HOST": host, "ALLOW_UNAUTHENTICATED": "true"}.get)
			require.NoError(t, err)
			require.Equal(t, host, c.Host)
		})
	}
	_, err := config.Load(env{"HOST": "not a host", "ALLOW_UNAUTHENTICATED": "true"}.get)
	require.ErrorContains(t, err, "neither an IP address nor a host name")
}

func TestTheAddressesOfACluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(path, []byte("postgres://user:hunter2@db/x?sslmode=disable\n"), 0o600))
	c, err := config.Load(env{"DATABASE_URL_FILE": path, "REDIS_URL": "rediss://r", "RABBITMQ_URL": "amqps://q/vhost"}.get)
	require.NoError(t, err)
	require.Equal(t, "postgres://user:hunter2@db/x?sslmode=disable", c.DatabaseURL.Reveal())
	require.Equal(t, "rediss://r", c.RedisURL.Reveal())
	require.Equal(t, "amqps://q/vhost", c.RabbitMQURL.Reveal())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c), "hunter2")
	for name, value := range map[string]string{"DATABASE_URL": "mysql://user:hunter2@db", "REDIS_URL": "hunter2", "RABBITMQ_URL": "amqp://"} {
		_, err := config.Load(env{name: value}.get)
		require.ErrorContains(t, err, name+": is not a URL such as ")
		require.NotContains(t, err.Error(), "hunter2")
	}
	for name, value := range map[string]string{"REDIS_URL": "redis://r", "RABBITMQ_URL": "amqp://q"} {
		_, err := config.Load(env{name: value}.get)
		require.ErrorContains(t, err, name+": is for nodes that share a database; set DATABASE_URL too")
	}
}

// A DATABASE_URL that is wrong is set: nobody is told to set it.
func TestAWrongDatabaseURLIsToldAlone(t *testing.T) {
	_, err := config.Load(env{"DATABASE_URL": "mysql://db", "REDIS_URL": "redis://r", "RABBITMQ_URL": "amqp://q"}.get)
	require.EqualError(t, err, "DATABASE_URL: is not a URL such as postgresql://host:port")
	path := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = config.Load(env{"DATABASE_URL_FILE": path, "REDIS_URL": "redis://r"}.get)
	require.ErrorContains(t, err, "set DATABASE_URL too", "an empty file is none")
}

// refused are the variables whose meaning this version cannot keep.
var refused = map[string]bool{
	"AUTH_SERVICE_URL": true,
}

func TestVariablesThatCannotBeKeptAreRefused(t *testing.T) {
	for name := range refused {
		for _, set := range []string{name, name + "_FILE"} {
			_, err := config.Load(env{set: "amqp://user:hunter2@host"}.get)
			require.ErrorContains(t, err, name+": ")
			require.ErrorContains(t, err, "unset it")
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestAURLMayComeFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(path, []byte("https://user:hunter2@n.example\n"), 0o600))
	c, err := config.Load(env{"NOTIFICATION_SERVICE_URL_FILE": path}.get)
	require.NoError(t, err)
	require.Equal(t, "n.example", c.NotificationServiceURL.Host)
	_, secret := c.NotificationServiceURL.User.Password()
	require.True(t, secret)

	_, err = config.Load(env{"NOTIFICATION_SERVICE_URL_FILE": path, "NOTIFICATION_SERVICE_URL": "http://hunter2.example"}.get)
	require.EqualError(t, err, "NOTIFICATION_SERVICE_URL: is set together with NOTIFICATION_SERVICE_URL_FILE; set one")
	_, err = config.Load(env{"NOTIFICATION_SERVICE_URL_FILE": path + ".none"}.get)
	require.ErrorContains(t, err, "NOTIFICATION_SERVICE_URL_FILE: cannot be read: ")

	require.NoError(t, os.WriteFile(path, []byte("hunter2"), 0o600))
	_, err = config.Load(env{"NOTIFICATION_SERVICE_URL_FILE": path}.get)
	require.EqualError(t, err, "NOTIFICATION_SERVICE_URL: is not a URL such as http://host:port", "what the file holds is not shown")
}

func TestAPasswordIsNotInTheError(t *testing.T) {
	for _, value := range []string{
		"ftp://user:hunter2@host", "user:hunter2@host", "http://user:hunter2@host:port", "http://user:hunter2@", "http://hunter2%zz@host",
	} {
		_, err := config.Load(env{"NOTIFICATION_SERVICE_URL": value}.get)
		require.Error(t, err, value)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestAddressOfIPv6(t *testing.T) {
	require.Equal(t, "[::1]:80", config.Config{Host: "::1", Port: 80}.Address())
}

// variables lists every name that Load asks for.
func variables(t *testing.T) []string {
	t.Helper()
	var names []string
	seen := map[string]bool{}
	_, err := config.Load(func(name string) string {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
		if name == "HOST" {
			return "0.0.0.0" // so that what allows it is asked for
		}
		return ""
	})
	require.Error(t, err)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		require.Regexp(t, `^[A-Z][A-Z_]+$`, name)
	}
	return names
}
