package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
)

// maxBatch bounds the rows of one statement. With at most 36 columns it stays
// under SQLite's 32,766 variables, and it keeps the text of a statement below
// what a parser notices.
const maxBatch = 500

// list runs a query and scans all rows into dest, a pointer to a slice. A slice
// among args becomes the list of an IN (?).
func (c conn) list(ctx context.Context, dest any, query string, args ...any) error {
	query, args, err := c.dialect.expand(query, args)
	if err != nil {
		return err
	}
	return sqlx.SelectContext(ctx, c.db, dest, c.rebind(query), args...)
}

// get is list for exactly one row. It fails with sql.ErrNoRows, which the
// caller turns into what it means.
func (c conn) get(ctx context.Context, dest any, query string, args ...any) error {
	return sqlx.GetContext(ctx, c.db, dest, c.rebind(query), args...)
}

// exec runs a statement and returns how many rows it changed. It expands slices
// as list does.
func (c conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	query, args, err := c.dialect.expand(query, args)
	if err != nil {
		return 0, err
	}
	res, err := c.db.ExecContext(ctx, c.rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// expandIn turns each slice among args into the list of its IN (?). sqlx.In asks
// every value for its form, which is dear for JSON, so it is left out where
// there is no slice.
func expandIn(query string, args []any) (string, []any, error) {
	for _, a := range args {
		switch a.(type) {
		case []string, []int64:
			return sqlx.In(query, args...)
		}
	}
	return query, args, nil
}

func (c conn) rebind(query string) string { return sqlx.Rebind(c.dialect.bind, query) }

// inBatches calls step with at most maxBatch items at a time.
func inBatches[T any](items []T, step func([]T) error) error {
	for batch := range slices.Chunk(items, maxBatch) {
		if err := step(batch); err != nil {
			return err
		}
	}
	return nil
}

// listIn gathers the rows of a query over many ids. The ids are the first
// argument of the query, its IN (?); more follow.
func listIn[R any](ctx context.Context, c conn, query string, ids []string, more ...any) ([]R, error) {
	var rows []R
	err := inBatches(ids, func(batch []string) error {
		var part []R
		if err := c.list(ctx, &part, query, append([]any{batch}, more...)...); err != nil {
			return err
		}
		rows = append(rows, part...)
		return nil
	})
	return rows, err
}

// table renders rows of the named columns, for WITH and INSERT. args holds the
// values, row by row.
func (c conn) table(columns string, args []any) (string, []any) {
	return c.dialect.table(strings.Split(columns, ","), args)
}

// valuesTable is a table of VALUES.
func valuesTable(columns []string, args []any) (string, []any) {
	return `VALUES ` + tuples(len(args)/len(columns), len(columns)), args
}

// tuples renders the placeholders of rows VALUES with columns each:
// (?,?),(?,?).
func tuples(rows, columns int) string {
	row := "(" + strings.Repeat("?,", columns-1) + "?)"
	var b strings.Builder
	b.Grow(rows * (len(row) + 1))
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(row)
	}
	return b.String()
}
