package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/config"
	"github.com/nexuscore/scheduler/internal/rabbitmq"
	"github.com/nexuscore/scheduler/internal/redis"
	"github.com/nexuscore/scheduler/internal/sqlstore"
)

// Grade is how a finding of the doctor is to be taken.
type Grade string

// The grades.
const (
	GradeOK   Grade = "ok"
	GradeWarn Grade = "warn" // it works; somebody should look at it
	GradeFail Grade = "fail" // the service would not start, or not do its work
)

// Finding is one line of the doctor's report.
type Finding struct {
	Grade  Grade
	About  string // such as database
	Text   string // what was found
	Advice string // what to do about it; empty when nothing is to be done
}

// The least versions that the service works with.
const (
	minPostgres = 140000
	minRedis    = 6
	minRabbitMQ = "3.9"
	maxSkew     = time.Second // between this machine and a server
)

const (
	// doctorTime bounds the look at one service.
	doctorTime = 10 * time.Second

	// doctorLoad bounds the loading of one plugin. It is what the service gives.
	doctorLoad = 2 * time.Minute
)

// doctor looks at what the service would stand on.
type doctor struct {
	cfg      config.Config
	clock    core.Clock
	findings []Finding
}

// Examine looks at everything a configuration names and says what it found. It
// changes nothing in DATA_DIR, and works beside a running service. Plugins are
// loaded and told to describe themselves, each within two minutes, as the
// service does; everything else is given 10 seconds.
func Examine(ctx context.Context, cfg config.Config) []Finding {
	d := &doctor{cfg: cfg, clock: core.SystemClock{}}
	for _, look := range []func(context.Context){d.dataDir, d.database, d.redis, d.rabbitmq, d.notification} {
		bounded, cancel := context.WithTimeout(ctx, doctorTime)
		look(bounded)
		cancel()
	}
	d.plugins(ctx)
	return d.findings
}

func (d *doctor) ok(about, format string, args ...any) {
	d.findings = append(d.findings, Finding{GradeOK, about, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(about, advice, format string, args ...any) {
	d.findings = append(d.findings, Finding{GradeWarn, about, fmt.Sprintf(format, args...), advice})
}

func (d *doctor) fail(about, advice, format string, args ...any) {
	d.findings = append(d.findings, Finding{GradeFail, about, fmt.Sprintf(format, args...), advice})
}

// dataDir asks whether the service may write where it will.
func (d *doctor) dataDir(context.Context) {
	dir := d.cfg.DataDir
	_, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("data", "%s does not exist yet; it is made at the start", dir)
		return
	case err != nil:
		d.fail("data", "see to the permissions of DATA_DIR", "%s: %v", dir, err)
		return
	}
	if err := writable(dir); err != nil {
		d.fail("data", "see to the permissions of DATA_DIR", "%s cannot be written to: %v", dir, err)
		return
	}
	d.ok("data", "%s can be written to", dir)
}

func (d *doctor) database(ctx context.Context) {
	if d.cfg.DatabaseURL == "" {
		d.sqlite(ctx)
		return
	}
	address := d.cfg.DatabaseURL.Reveal()
	p, err := sqlstore.ProbePostgres(ctx, address, d.clock.Now)
	if err != nil {
		d.fail("database", adviceOn("DATABASE_URL")[troubleWith(err)], "%s: %v", placeOf(address), err)
		return
	}
	if p.Number < minPostgres {
		d.fail("database", "use PostgreSQL 14 or later", "PostgreSQL %s at %s", p.Version, placeOf(address))
		return
	}
	d.ok("database", "PostgreSQL %s at %s, %s away", p.Version, placeOf(address), p.Latency.Round(10*time.Microsecond))
	if !p.Encrypted && !onLoopback(address) {
		d.warn("database", "add sslmode=verify-full to DATABASE_URL", "the connection is not encrypted")
	}
	if p.MaxConns < 50 {
		d.warn("database", "raise max_connections, or put a pooler in session mode before it", "the server allows %d connections; each node uses at least ten", p.MaxConns)
	}
	d.skew("database", p.Skew)
	status, err := sqlstore.MigratePostgres(ctx, address, sqlstore.MigrateStatus)
	d.schema(status, err)
}

func (d *doctor) sqlite(ctx context.Context) {
	path := filepath.Join(d.cfg.DataDir, DatabaseName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		d.ok("database", "SQLite: %s does not exist yet; it is made at the start", path)
		return
	}
	status, err := sqlstore.MigrateSQLite(ctx, path, sqlstore.MigrateStatus)
	if err == nil {
		d.ok("database", "SQLite: %s", path)
	}
	d.schema(status, err)
}

// schema tells what migrations are missing.
func (d *doctor) schema(status []sqlstore.MigrationStatus, err error) {
	if err != nil {
		d.fail("schema", "the log of the database may say more", "%v", err)
		return
	}
	pending := 0
	for _, m := range status {
		if !m.Applied {
			pending++
		}
	}
	if pending > 0 {
		d.ok("schema", "%d of %d migrations are not applied yet; the next start applies them, or `scheduler migrate up`", pending, len(status))
		return
	}
	d.ok("schema", "all %d migrations are applied", len(status))
}

func (d *doctor) skew(about string, skew time.Duration) {
	if skew.Abs() > maxSkew {
		d.warn(about, "see to the time synchronisation of both", "this machine's clock is %s ahead of the server's", skew.Round(time.Millisecond))
	}
}

func (d *doctor) redis(ctx context.Context) {
	if d.cfg.RedisURL == "" {
		return
	}
	place := placeOf(d.cfg.RedisURL.Reveal())
	client, err := redis.Open(redis.Config{URL: d.cfg.RedisURL.Reveal(), Prefix: d.cfg.QueuePrefix})
	if err != nil {
		d.fail("redis", "see to REDIS_URL", "%v", err)
		return
	}
	defer func() { _ = client.Close() }() // it was only read
	h, err := client.Check(ctx)
	if err != nil {
		d.without(ctx, "redis", "REDIS_URL", d.cfg.RedisURL.Reveal(), err)
		return
	}
	if major(h.Version) < minRedis {
		d.fail("redis", "use Redis 6 or later", "Redis %s at %s", h.Version, place)
		return
	}
	d.ok("redis", "Redis %s at %s, %s away", h.Version, place, h.Latency.Round(10*time.Microsecond))
	if strings.HasPrefix(d.cfg.RedisURL.Reveal(), "redis://") && !onLoopback(d.cfg.RedisURL.Reveal()) {
		d.warn("redis", "use rediss://", "the connection is not encrypted")
	}
}

func (d *doctor) rabbitmq(ctx context.Context) {
	if d.cfg.RabbitMQURL == "" {
		return
	}
	place := placeOf(d.cfg.RabbitMQURL.Reveal())
	client, err := rabbitmq.Open(rabbitmq.Config{URL: d.cfg.RabbitMQURL.Reveal(), Prefix: d.cfg.QueuePrefix, Node: "doctor"})
	if err != nil {
		d.fail("rabbitmq", "see to RABBITMQ_URL", "%v", err)
		return
	}
	defer func() { _ = client.Close() }() // it was only asked
	h, err := connected(ctx, client)
	if err != nil {
		d.without(ctx, "rabbitmq", "RABBITMQ_URL", d.cfg.RabbitMQURL.Reveal(), err)
		return
	}
	if olderThan(h.Version, minRabbitMQ) {
		d.fail("rabbitmq", "use RabbitMQ 3.9 or later", "RabbitMQ %s at %s", h.Version, place)
		return
	}
	d.ok("rabbitmq", "RabbitMQ %s at %s, %s away", h.Version, place, h.Latency.Round(10*time.Microsecond))
	if strings.HasPrefix(d.cfg.RabbitMQURL.Reveal(), "amqp://") && !onLoopback(d.cfg.RabbitMQURL.Reveal()) {
		d.warn("rabbitmq", "use amqps://", "the connection is not encrypted")
	}
}

// connected waits for the client to connect.
func connected(ctx context.Context, c *rabbitmq.Client) (h rabbitmq.Health, err error) {
	const every = 50 * time.Millisecond
	patience, cancel := context.WithTimeout(ctx, doctorTime/2)
	defer cancel()
	for {
		if h, err = c.Check(ctx); err == nil || troubleWith(err) != away || patience.Err() != nil {
			return h, err
		}
		select {
		case <-patience.Done():
		case <-time.After(every):
		}
	}
}

// without tells of a server that the service can do without for a while. One
// that answers and will never take this configuration is a failure.
func (d *doctor) without(ctx context.Context, about, variable, address string, err error) {
	kind := troubleWith(err)
	if kind.passing() && otherSecurity(ctx, address) {
		kind = noTLS
	}
	tell := d.fail
	if kind.passing() {
		tell = d.warn
	}
	tell(about, adviceOn(variable)[kind], "%s: %v", placeOf(address), err)
}

// adviceOn is what to do about each kind of trouble with the server that a
// variable names.
func adviceOn(variable string) map[trouble]string {
	type service struct{ name, meanwhile, missing, tls string }
	of := map[string]service{
		"DATABASE_URL": {
			"PostgreSQL", "", "create the database, or correct its name in DATABASE_URL",
			"see to sslmode and sslrootcert in DATABASE_URL, and to TLS on the server",
		},
		"REDIS_URL": {
			"Redis", "; until then leases and limits are kept in the database", "use the index of a database that the server has in REDIS_URL; 0 to 15 as it comes",
			"use rediss:// in REDIS_URL with a server that has TLS on this port and a certificate that this machine trusts, redis:// with another",
		},
		"RABBITMQ_URL": {
			"RabbitMQ", "; until then executions are handed out in process", "create the vhost and give the user permissions on it, or correct its name in RABBITMQ_URL",
			"use amqps:// in RABBITMQ_URL with a server that has TLS on this port and a certificate that this machine trusts, amqp:// with another",
		},
	}[variable]
	return map[trouble]string{
		away:        "see that " + of.name + " runs there, that this machine reaches it, and that host and port in " + variable + " are right" + of.meanwhile,
		answers:     of.name + " answers there; see to what it says, its log may say more" + of.meanwhile,
		credentials: of.name + " answers there and refuses this user: see to the user and the password in " + variable + ", and to what the server lets it do",
		missing:     of.name + " answers there: " + of.missing,
		noTLS:       of.name + " and this machine do not agree about TLS: " + of.tls,
	}
}

// notification asks whether anybody is there, as the health page does.
func (d *doctor) notification(ctx context.Context) {
	u := d.cfg.NotificationServiceURL
	if u == nil {
		d.warn("notification", "set NOTIFICATION_SERVICE_URL", "notifications and alerts are only written to the log")
		return
	}
	probe := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		d.fail("notification", "see to NOTIFICATION_SERVICE_URL", "the address is not usable")
		return
	}
	resp, err := probe.Do(req)
	if err != nil {
		d.warn("notification", "see that the service runs; until then alerts wait", "%s does not answer", u.Host)
		return
	}
	_ = resp.Body.Close()
	d.ok("notification", "%s answers", u.Host)
}

func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(first)
	return n
}

// olderThan compares versions of two numbers or more by the first two.
func olderThan(version, least string) bool {
	a, b := strings.Split(version+".0", "."), strings.Split(least+".0", ".")
	for i := range 2 {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}
