// Package config turns environment variables into one typed, validated struct.
// It is the only place that knows their names.
package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Config is everything an operator can set.
type Config struct {
	Host string // HOST. Defaults to 127.0.0.1: without authentication only this machine may call.
	Port int    // PORT. Defaults to 3006; 0 takes any free port.
	Env  string // NODE_ENV: development, test or production. Defaults to development.

	DataDir       string // DATA_DIR. Defaults to ./data.
	PluginsConfig string // PLUGINS_CONFIG, a file or a directory. Defaults to ./plugins.yaml.
	PluginUID     int    // PLUGIN_UID: the user of process plugins, when the service is root. Defaults to 0, its own.
	NodeID        string // NODE_ID. Defaults to host name and process id.

	DatabaseURL Secret // DATABASE_URL, postgresql://…; empty is SQLite under DATA_DIR, for one node
	RedisURL    Secret // REDIS_URL, redis://… or rediss://…; empty keeps leases and limits in the database
	RabbitMQURL Secret // RABBITMQ_URL, amqp://… or amqps://…; empty queues in process

	ConfigServiceURL       *url.URL // CONFIG_SERVICE_URL; nil lists plugins in PluginsConfig
	NotificationServiceURL *url.URL // NOTIFICATION_SERVICE_URL; nil writes notifications to the log

	MaxConcurrentTasks  int           // MAX_CONCURRENT_TASKS. Defaults to 10.
	DefaultTimeout      time.Duration // DEFAULT_TIMEOUT in ms. Defaults to 300000.
	RetryAttempts       int           // RETRY_ATTEMPTS. Defaults to 3.
	RetryDelay          time.Duration // RETRY_DELAY in ms. Defaults to 60000.
	MaintenanceInterval time.Duration // MAINTENANCE_INTERVAL in ms. Defaults to 60000.
	MinInterval         time.Duration // MIN_INTERVAL in ms. Defaults to 1000.
	HistoryRetention    time.Duration // HISTORY_RETENTION in ms; 0 keeps history for ever. Defaults to 90 days.
	HistoryPerTask      int           // HISTORY_PER_TASK; 0 keeps all. Defaults to 0.

	QueuePrefix      string // QUEUE_PREFIX. Defaults to scheduler.
	MaxQueueSize     int    // MAX_QUEUE_SIZE. Defaults to 1000.
	QueueConcurrency int    // QUEUE_CONCURRENCY. Defaults to 5.

	LogLevel      string        // LOG_LEVEL: trace, debug, info, warn, error. Defaults to info.
	LogFormat     string        // LOG_FORMAT: json or text. Defaults to json.
	ShutdownGrace time.Duration // SHUTDOWN_GRACE in ms. Defaults to 20000.

	// LookupEnv looks up the variables that plugins.yaml refers to, and the
	// secrets that it grants. nil is os.LookupEnv.
	LookupEnv func(name string) (string, bool)
}

// Load reads the configuration. getenv is os.Getenv or a map's look-up. The
// error names everything that is wrong, one line a variable.
func Load(getenv func(string) string) (Config, error) {
	r := reader{getenv: getenv}
	host, _ := os.Hostname() // without a name the process id alone must do
	c := Config{
		Host:                   r.host("HOST", "127.0.0.1"),
		Port:                   r.number("PORT", 3006, 0, 65535),
		Env:                    r.choice("NODE_ENV", "development", "development", "test", "production"),
		DataDir:                r.text("DATA_DIR", "./data"),
		PluginsConfig:          r.text("PLUGINS_CONFIG", "./plugins.yaml"),
		PluginUID:              r.number("PLUGIN_UID", 0, 0, math.MaxInt32),
		NodeID:                 r.name("NODE_ID", fmt.Sprintf("%s-%d", host, os.Getpid())),
		DatabaseURL:            r.address("DATABASE_URL", "postgresql", "postgres"),
		RedisURL:               r.address("REDIS_URL", "redis", "rediss"),
		RabbitMQURL:            r.address("RABBITMQ_URL", "amqp", "amqps"),
		ConfigServiceURL:       r.url("CONFIG_SERVICE_URL", "http", "https"),
		NotificationServiceURL: r.url("NOTIFICATION_SERVICE_URL", "http", "https"),
		MaxConcurrentTasks:     r.number("MAX_CONCURRENT_TASKS", 10, 1, 100_000),
		DefaultTimeout:         r.millis("DEFAULT_TIMEOUT", 300_000, 1),
		RetryAttempts:          r.number("RETRY_ATTEMPTS", 3, 1, 100),
		RetryDelay:             r.millis("RETRY_DELAY", 60_000, 0),
		MaintenanceInterval:    r.millis("MAINTENANCE_INTERVAL", 60_000, 1000),
		MinInterval:            r.millis("MIN_INTERVAL", 1000, 1),
		HistoryRetention:       r.millis("HISTORY_RETENTION", 90*24*3600*1000, 0),
		HistoryPerTask:         r.number("HISTORY_PER_TASK", 0, 0, 10_000_000),
		QueuePrefix:            r.name("QUEUE_PREFIX", "scheduler"),
		MaxQueueSize:           r.number("MAX_QUEUE_SIZE", 1000, 1, 10_000_000),
		QueueConcurrency:       r.number("QUEUE_CONCURRENCY", 5, 1, 1000),
		LogLevel:               r.choice("LOG_LEVEL", "info", "trace", "debug", "info", "warn", "error"),
		LogFormat:              r.choice("LOG_FORMAT", "json", "json", "text"),
		ShutdownGrace:          r.millis("SHUTDOWN_GRACE", 20_000, 0),
	}
	r.unsupported()
	r.needDatabase(c)
	r.guardHost(c.Host)
	return c, errors.Join(r.problems...)
}

// Address is where the API listens.
func (c Config) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// notYet are variables whose meaning this version cannot keep. Starting as if
// they were not set would be a false promise (a shared database that is not
// used, an authentication that does not happen), so they are refused.
var notYet = [...]struct{ name, why string }{
	{"AUTH_SERVICE_URL", "this version has no authentication; unset it and keep HOST on loopback"},
}

func (r *reader) unsupported() {
	for _, v := range notYet {
		if r.getenv(v.name) != "" || r.getenv(v.name+"_FILE") != "" {
			r.bad(v.name, v.why)
		}
	}
}

// needDatabase refuses services for many nodes beside a database for one. An
// address of a database that is wrong is told by itself.
func (r *reader) needDatabase(c Config) {
	for name, value := range map[string]Secret{"REDIS_URL": c.RedisURL, "RABBITMQ_URL": c.RabbitMQURL} {
		if value != "" && c.DatabaseURL == "" && !r.told("DATABASE_URL") {
			r.bad(name, "is for nodes that share a database; set DATABASE_URL too, or unset it")
		}
	}
}

// guardHost refuses to offer an API without authentication to other machines.
func (r *reader) guardHost(host string) {
	if host == "localhost" {
		return
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return
	}
	if r.getenv("ALLOW_UNAUTHENTICATED") == "true" {
		return
	}
	r.bad("HOST", fmt.Sprintf("%q is reachable from other machines and the API has no authentication; "+
		"use 127.0.0.1 behind a proxy that authenticates, or set ALLOW_UNAUTHENTICATED=true where the network does", host))
}
