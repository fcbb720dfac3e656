package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// LivingNodes returns the ids of the nodes that have said within age, by the
// database's clock, that they use the database. A database whose schema has no
// nodes yet has none.
func LivingNodes(ctx context.Context, url string, age time.Duration) (ids []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("look for nodes: %w", err)
		}
	}()
	cfg := PostgresConfig{URL: url}
	cfg.setDefaults()
	dsn, err := postgresDSN(cfg)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found pq.StringArray
	err = db.QueryRowContext(ctx, `
		SELECT COALESCE(array_agg(id ORDER BY id), '{}') FROM nodes
		WHERE seen_at >= clock_timestamp() - make_interval(secs => $1)`, age.Seconds()).Scan(&found)
	if e := pq.As(err); e != nil && e.Code == "42P01" {
		return nil, nil
	}
	return found, err
}
