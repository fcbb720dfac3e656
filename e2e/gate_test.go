package e2e

import (
	"database/sql"
	"fmt"

	"github.com/stretchr/testify/require"
)

// gate holds every statement of a kind on a table in the middle of its
// transaction until it is opened. There is one in a cluster.
type gate struct {
	c     *cluster
	key   *sql.Conn // holds the lock that the statements wait for
	table string
}

// gateNumber is the advisory lock; each database has its own.
const gateNumber = 4711

// gate closes a gate before statements such as INSERT on a table.
func (c *cluster) gate(statement, table string) *gate {
	c.t.Helper()
	g := &gate{c: c, table: table}
	var err error
	g.key, err = c.db.Conn(c.t.Context())
	require.NoError(c.t, err)
	_, err = g.key.ExecContext(c.t.Context(), fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, gateNumber))
	require.NoError(c.t, err)
	_, err = c.db.ExecContext(c.t.Context(), fmt.Sprintf(`
		CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			PERFORM pg_advisory_xact_lock_shared(%d);
			RETURN NULL;
		END $$;
		CREATE TRIGGER gate BEFORE %s ON %s FOR EACH STATEMENT EXECUTE FUNCTION gate()`, gateNumber, statement, table))
	require.NoError(c.t, err)
	return g
}

// await waits until somebody stands before the gate.
func (g *gate) await() {
	g.c.t.Helper()
	g.c.eventually("a statement waits at the gate", patience, func() bool { return g.waiting() > 0 })
}

const atGate = `SELECT %s FROM pg_locks WHERE locktype = 'advisory' AND objid = %d AND NOT granted
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

func (g *gate) waiting() int { return g.c.count(fmt.Sprintf(atGate, "count(*)", gateNumber)) }

// turnAway ends the sessions before the gate: their transactions are undone.
func (g *gate) turnAway() {
	g.c.t.Helper()
	_, err := g.c.db.ExecContext(g.c.t.Context(), fmt.Sprintf(atGate, "pg_terminate_backend(pid)", gateNumber))
	require.NoError(g.c.t, err)
	g.c.eventually("nobody is at the gate", patience, func() bool { return g.waiting() == 0 })
}

// open lets everybody through and takes the gate away.
func (g *gate) open() {
	g.c.t.Helper()
	_, err := g.key.ExecContext(g.c.t.Context(), fmt.Sprintf(`SELECT pg_advisory_unlock(%d)`, gateNumber))
	require.NoError(g.c.t, err)
	require.NoError(g.c.t, g.key.Close())
	_, err = g.c.db.ExecContext(g.c.t.Context(), `DROP TRIGGER gate ON `+g.table)
	require.NoError(g.c.t, err)
}
