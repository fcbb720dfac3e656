package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// BenchmarkHandPipeline measures what the same services carry when nothing is
// promised but that each execution runs: claim 500, publish them 50 to a message,
// consume, lock in Redis, do nothing, and write the end of up to 500 at a time,
// with narrow rows, one index, and no event. BenchmarkBurnDown is to be read
// beside it, in one run of make bench.
func BenchmarkHandPipeline(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("BURN_DOWN"))
	if err != nil {
		n = 100_000
	}
	env := clusterEnv(b)
	for b.Loop() {
		p := newHandPipeline(b, env)
		p.makeDue(n)
		before, begin := processorTimes(b), time.Now()
		p.run(n)
		took, after := time.Since(begin), processorTimes(b)
		b.ReportMetric(float64(n)/took.Seconds(), "executions/s")
		for part := range after {
			b.ReportMetric(float64((after[part]-before[part]).Microseconds())/float64(n), part+"-µs")
		}
		var ended int
		require.NoError(b, p.db.QueryRow(`SELECT count(*) FROM hand_history WHERE status = 'succeeded'`).Scan(&ended))
		require.Equal(b, n, ended)
	}
	b.ReportMetric(0, "ns/op")
}

// The size of the hand-written pipeline's parts.
const (
	handSchedulers = 4
	handWorkers    = 8
	handClaim      = 500
	handBundle     = 50
	handLinger     = 10 * time.Millisecond
)

type handPipeline struct {
	b     *testing.B
	db    *sql.DB
	cache *redis.Client
	conn  *amqp.Connection
	queue string
}

func newHandPipeline(b *testing.B, env map[string]string) *handPipeline {
	p := &handPipeline{b: b, queue: env["QUEUE_PREFIX"] + ".hand"}
	var err error
	p.db, err = sql.Open("postgres", env["DATABASE_URL"]+"&binary_parameters=yes")
	require.NoError(b, err)
	p.db.SetMaxIdleConns(2 * (handSchedulers + handWorkers))
	options, err := redis.ParseURL(env["REDIS_URL"])
	require.NoError(b, err)
	p.cache = redis.NewClient(options)
	p.conn, err = amqp.Dial(env["RABBITMQ_URL"])
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, p.conn.Close())
		require.NoError(b, p.cache.Close())
		require.NoError(b, p.db.Close())
	})
	ch, err := p.conn.Channel()
	require.NoError(b, err)
	_, err = ch.QueueDeclare(p.queue, true, false, false, false, nil)
	require.NoError(b, err)
	b.Cleanup(func() { _, _ = ch.QueueDelete(p.queue, false, false, false) })
	return p
}

func (p *handPipeline) makeDue(n int) {
	_, err := p.db.Exec(`
		DROP TABLE IF EXISTS hand_tasks, hand_history;
		CREATE TABLE hand_tasks (id bigint PRIMARY KEY, next_run timestamptz NOT NULL, claimed boolean NOT NULL DEFAULT false, data text NOT NULL) WITH (fillfactor = 70);
		CREATE INDEX ON hand_tasks (next_run) WHERE NOT claimed;
		CREATE TABLE hand_history (id bigint PRIMARY KEY, status text NOT NULL, start_time timestamptz NOT NULL, end_time timestamptz) WITH (fillfactor = 70)`)
	require.NoError(p.b, err)
	_, err = p.db.Exec(`INSERT INTO hand_tasks (id, next_run, data) SELECT i, now(), '{}' FROM generate_series(1, $1::int) AS i`, n)
	require.NoError(p.b, err)
	_, err = p.db.Exec(`ANALYZE hand_tasks`)
	require.NoError(p.b, err)
}

// run ends when n executions have.
func (p *handPipeline) run(n int) {
	ctx, cancel := context.WithCancel(p.b.Context())
	defer cancel()
	var parts errgroup.Group
	ended := make(chan int, 1000)
	finish := make(chan handBatch, 4*handWorkers)
	for range handSchedulers {
		parts.Go(func() error { return p.schedule() })
	}
	for range handWorkers {
		parts.Go(func() error { return p.work(ctx, finish) })
		parts.Go(func() error { return p.end(ctx, finish, ended) })
	}
	for left := n; left > 0; left -= <-ended {
	}
	cancel()
	require.NoError(p.b, parts.Wait())
}

// schedule claims and publishes until nothing is due.
func (p *handPipeline) schedule() error {
	ch, err := p.conn.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	if err := ch.Confirm(false); err != nil {
		return err
	}
	for {
		ids, err := p.claim()
		if err != nil || len(ids) == 0 {
			return err
		}
		var confirms []*amqp.DeferredConfirmation
		for rest := ids; len(rest) > 0; {
			bundle := rest[:min(handBundle, len(rest))]
			rest = rest[len(bundle):]
			confirm, err := ch.PublishWithDeferredConfirm("", p.queue, false, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, Body: []byte(strings.Join(bundle, ",")),
			})
			if err != nil {
				return err
			}
			confirms = append(confirms, confirm)
		}
		for _, c := range confirms {
			if !c.Wait() {
				return fmt.Errorf("a bundle was refused")
			}
		}
	}
}

func (p *handPipeline) claim() (ids []string, err error) {
	rows, err := p.db.Query(`
		WITH due AS (
			SELECT id FROM hand_tasks WHERE NOT claimed AND next_run <= now()
			ORDER BY next_run LIMIT $1 FOR UPDATE SKIP LOCKED),
		claimed AS (UPDATE hand_tasks SET claimed = true FROM due WHERE hand_tasks.id = due.id RETURNING hand_tasks.id)
		INSERT INTO hand_history (id, status, start_time) SELECT id, 'running', now() FROM claimed
		RETURNING id`, handClaim)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// handBatch is a bundle that was worked on.
type handBatch struct {
	ids     []string
	message amqp.Delivery
}

// work consumes, locks and does nothing.
func (p *handPipeline) work(ctx context.Context, finish chan<- handBatch) error {
	ch, err := p.conn.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	if err := ch.Qos(10, 0, false); err != nil {
		return err
	}
	messages, err := ch.Consume(p.queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-messages:
			ids := strings.Split(string(m.Body), ",")
			locks := p.cache.Pipeline()
			for _, id := range ids {
				locks.SetNX(ctx, p.queue+":"+id, "1", 10*time.Second)
			}
			if _, err := locks.Exec(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			select {
			case finish <- handBatch{ids, m}:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// end writes the ends of what has gathered, gives the locks up and acknowledges.
func (p *handPipeline) end(ctx context.Context, finish <-chan handBatch, ended chan<- int) error {
	for {
		batches, ids := gatherHand(ctx, finish)
		if len(ids) == 0 {
			return nil
		}
		tx, err := p.db.Begin()
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE hand_history SET status = 'succeeded', end_time = now() WHERE id = ANY ($1::bigint[])`,
			`UPDATE hand_tasks SET next_run = next_run + interval '1 day', claimed = false WHERE id = ANY ($1::bigint[])`,
		} {
			if _, err := tx.Exec(statement, pq.Array(ids)); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		locks := p.cache.Pipeline()
		for _, id := range ids {
			locks.Del(ctx, p.queue+":"+id)
		}
		if _, err := locks.Exec(ctx); err != nil {
			return err
		}
		for _, batch := range batches {
			if err := batch.message.Ack(false); err != nil {
				return err
			}
		}
		ended <- len(ids)
	}
}

func gatherHand(ctx context.Context, finish <-chan handBatch) (batches []handBatch, ids []string) {
	var linger <-chan time.Time
	for len(ids) < handClaim {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-linger:
			return batches, ids
		case batch := <-finish:
			batches, ids = append(batches, batch), append(ids, batch.ids...)
			if linger == nil {
				linger = time.After(handLinger)
			}
		}
	}
	return batches, ids
}
