package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Probe is a look at a database server that changes nothing.
type Probe struct {
	Version   string        // of the server, such as 15.8
	Number    int           // the same as a number, such as 150008
	Encrypted bool          // the connection uses TLS
	MaxConns  int           // connections that the server allows in all
	Latency   time.Duration // of one round trip
	Skew      time.Duration // how far this machine's clock is ahead of the server's
}

// ProbePostgres looks at the server that a URL names. now is this machine's
// clock.
func ProbePostgres(ctx context.Context, url string, now func() time.Time) (p Probe, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("probe database: %w", err)
		}
	}()
	cfg := PostgresConfig{URL: url}
	cfg.setDefaults()
	dsn, err := postgresDSN(cfg)
	if err != nil {
		return p, err
	}
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return p, err
	}
	var at time.Time
	asked := now()
	err = db.QueryRowContext(ctx, `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_setting('max_connections')::int,
			COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), clock_timestamp()`,
	).Scan(&p.Version, &p.Number, &p.MaxConns, &p.Encrypted, &at)
	p.Latency = now().Sub(asked)
	p.Skew = asked.Add(p.Latency / 2).Sub(at)
	return p, err
}
