package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A partition of the history holds the executions that were made in one week
// (from Monday, UTC), by the time in their ids; and a partition of the logs those
// of the same executions. They are made partitionsAhead, and dropped whole. A
// look into the history of a task opens every partition: with days instead of
// weeks that took 40 ms for a quarter of a year. The length cannot change later,
// because the partitions that exist have it.
const (
	partitionLength = 7 * 24 * time.Hour
	partitionsAhead = 2
)

// partitionedTables are the tables with such partitions, and the column of the
// execution's id.
var partitionedTables = []struct{ name, id string }{{"task_history", "id"}, {"execution_logs", "execution_id"}}

// partition is a week of history.
type partition struct{ from time.Time }

func partitionOf(at time.Time) partition { return partition{at.UTC().Truncate(partitionLength)} }

func (p partition) to() time.Time { return p.from.Add(partitionLength) }

func (p partition) table(parent string) string { return parent + "_" + p.from.Format("20060102") }

// firstID is the least id that an execution made at an instant can have: a UUID
// version 7 begins with the milliseconds since 1970.
func firstID(at time.Time) string {
	hex := fmt.Sprintf("%012x", at.UnixMilli())
	return hex[:8] + "-" + hex[8:]
}

// makePartitions makes the partitions that are missing, from last week's on. It
// goes by the time of the database and not by a test's clock: ids have the time
// of the world.
func (s *Store) makePartitions(ctx context.Context) error {
	return s.write(ctx, "make partitions", func(ctx context.Context, c conn) error {
		now, err := databaseClock(ctx, c.db)
		if err != nil {
			return err
		}
		missing, err := c.missingPartitions(ctx, now)
		if err != nil || len(missing) == 0 {
			return err
		}
		if err := c.hold(ctx, "partitions"); err != nil { // another node may be at it
			return err
		}
		if missing, err = c.missingPartitions(ctx, now); err != nil {
			return err
		}
		for _, p := range missing {
			if err := c.makePartition(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c conn) missingPartitions(ctx context.Context, now time.Time) ([]partition, error) {
	have, err := c.partitions(ctx)
	if err != nil {
		return nil, err
	}
	exists := map[partition]bool{}
	for _, p := range have {
		exists[p] = true
	}
	var missing []partition
	for week := -1; week <= partitionsAhead; week++ {
		if p := partitionOf(now.Add(time.Duration(week) * partitionLength)); !exists[p] {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// partitions lists the weeks that have partitions, oldest first.
func (c conn) partitions(ctx context.Context) ([]partition, error) {
	var names []string
	err := c.list(ctx, &names, `
		SELECT child.relname FROM pg_inherits
		JOIN pg_class AS child ON child.oid = inhrelid
		WHERE inhparent = 'task_history'::regclass
		ORDER BY child.relname`)
	var weeks []partition
	for _, name := range names {
		if from, err := time.Parse("20060102", strings.TrimPrefix(name, "task_history_")); err == nil { // else the default one
			weeks = append(weeks, partition{from})
		}
	}
	return weeks, err
}

// makePartition makes a week's tables and moves in what the default partitions
// took meanwhile.
func (c conn) makePartition(ctx context.Context, p partition) error {
	from, to := firstID(p.from), firstID(p.to())
	for _, t := range partitionedTables {
		table, stray := p.table(t.name), t.name+"_default"
		for _, statement := range []string{
			`LOCK TABLE ` + stray + ` IN ACCESS EXCLUSIVE MODE`,
			`CREATE TABLE ` + table + ` (LIKE ` + t.name + ` INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`,
			`WITH moved AS (
				DELETE FROM ` + stray + ` WHERE ` + t.id + ` >= '` + from + `' AND ` + t.id + ` < '` + to + `' RETURNING *)
			INSERT INTO ` + table + ` SELECT * FROM moved`,
			`ALTER TABLE ` + t.name + ` ATTACH PARTITION ` + table + ` FOR VALUES FROM ('` + from + `') TO ('` + to + `')`,
		} {
			if _, err := c.db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("partition %s: %w", table, err)
			}
		}
	}
	return nil
}

// wholePartitions is the retention from which on history goes by partitions
// alone. It is then kept up to a week longer than asked, and removing a week
// costs the same however much it holds.
const wholePartitions = 4 * partitionLength

// pruneOldPartitions drops the partitions whose executions have all ended before
// an instant, and removes single ones where the retention is short, or where
// they lie in no week's partition. What it drops may be more than limit.
func pruneOldPartitions(ctx context.Context, c conn, before time.Time, limit int) (int, error) {
	dropped, err := c.dropPartitions(ctx, before)
	if err != nil || dropped >= limit {
		return dropped, err
	}
	table := `task_history`
	if c.now.Sub(before) >= wholePartitions {
		table = `task_history_default`
	}
	n, err := c.pruneHistory(ctx, table, before, limit-dropped)
	return dropped + n, err
}

// dropPartitions drops what is old and returns how many executions that were.
func (c conn) dropPartitions(ctx context.Context, before time.Time) (int, error) {
	weeks, err := c.partitions(ctx)
	if err != nil {
		return 0, err
	}
	dropped := 0
	for _, p := range weeks {
		if p.to().After(before) {
			break
		}
		n, err := c.dropPartition(ctx, p, before)
		if err != nil {
			return dropped, err
		}
		dropped += n
	}
	return dropped, nil
}

// dropPartition drops a week, unless an execution of it lives or has ended later.
func (c conn) dropPartition(ctx context.Context, p partition, before time.Time) (int, error) {
	if err := c.hold(ctx, "partitions"); err != nil {
		return 0, err
	}
	table := p.table("task_history")
	var found struct {
		Gone    bool `db:"gone"`
		Ended   int  `db:"ended"`
		Younger int  `db:"younger"`
		Live    int  `db:"live"`
	}
	if err := c.get(ctx, &found.Gone, `SELECT to_regclass(?) IS NULL`, table); err != nil || found.Gone {
		return 0, err // another node was faster
	}
	if err := c.get(ctx, &found, `
		SELECT false AS gone, COUNT(*) AS ended, COUNT(*) FILTER (WHERE end_time >= ?) AS younger,
			(SELECT COUNT(*) FROM executions WHERE id >= ? AND id < ?) AS live
		FROM `+table, stamp(before), firstID(p.from), firstID(p.to())); err != nil {
		return 0, err
	}
	if found.Younger+found.Live > 0 {
		return 0, nil
	}
	if err := c.rememberEnds(ctx, table+` WHERE true`); err != nil {
		return 0, err
	}
	return c.dropTables(ctx, p, found.Ended)
}

// dropTables drops a day's tables. It does not wait for those who read the
// history, because everybody who ends an execution would wait behind it: then it
// drops nothing, and the next round tries again.
func (c conn) dropTables(ctx context.Context, p partition, ended int) (int, error) {
	if _, err := c.db.ExecContext(ctx, `SAVEPOINT dropping; SET LOCAL lock_timeout = '100ms'`); err != nil {
		return 0, err
	}
	for _, t := range partitionedTables {
		if _, err := c.db.ExecContext(ctx, `DROP TABLE `+p.table(t.name)); err != nil {
			if !lockTimeout(err) {
				return 0, err
			}
			_, err := c.db.ExecContext(ctx, `ROLLBACK TO SAVEPOINT dropping`)
			return 0, err
		}
	}
	_, err := c.db.ExecContext(ctx, `RELEASE SAVEPOINT dropping; SET LOCAL lock_timeout TO DEFAULT`)
	return ended, err
}
