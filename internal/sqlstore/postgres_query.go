package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// expandAny makes each IN (?) a comparison with an array: one parameter however
// long the list is, and one text of the statement.
func expandAny(query string, args []any) (string, []any, error) {
	arrays := false
	for i, a := range args {
		var array any
		switch list := a.(type) {
		case []string:
			array = pq.StringArray(list)
		case []int64:
			array = pq.Int64Array(list)
		default:
			continue
		}
		if !arrays {
			args, arrays = slices.Clone(args), true
		}
		args[i] = array
	}
	if arrays {
		query = strings.ReplaceAll(query, `IN (?)`, `= ANY (?)`)
	}
	return query, args, nil
}

// unnestTable is a table made of one array a column. Its text depends on the
// columns alone, and 500 rows are as many parameters as one.
func unnestTable(columns []string, args []any) (string, []any) {
	parts, arrays := make([]string, len(columns)), make([]any, len(columns))
	for i, name := range columns {
		parts[i] = `?::` + postgresType(strings.TrimSpace(name)) + `[]`
		arrays[i] = columnArray{rows: args, first: i, step: len(columns)}
	}
	return `SELECT * FROM unnest(` + strings.Join(parts, `, `) + `)`, arrays
}

// postgresType is the type of a column of table. A name means the same for every
// table.
func postgresType(column string) string {
	switch column {
	case "nominal_time", "due_at", "start_time", "end_time", "created_at", "updated_at", "lease_until", "attempt_start",
		"judge_at", "late_at", "rank", "next_run", "last_run", "was_due", "next_nominal", "last_nominal", "since", "until":
		return "timestamptz"
	case "duration", "attempt", "max_attempts", "max_concurrency", "token", "new_token", "held_token",
		"runs", "failures", "version", "dropped", "tries", "put_off", "messages":
		return "bigint"
	case "cancel_requested", "enabled":
		return "boolean"
	case "attempts", "result", "policy", "data", "hours", "awaits", "lines", "depends_on", "progress":
		return "json"
	case "timing", "labels":
		return "jsonb"
	}
	return "text"
}

// columnArray is one column of rows that lie one after the other, as the text
// of an array.
type columnArray struct {
	rows        []any
	first, step int
}

// Value implements driver.Valuer.
func (c columnArray) Value() (driver.Value, error) {
	size := 2
	values := make([]driver.Value, 0, len(c.rows)/c.step)
	for i := c.first; i < len(c.rows); i += c.step {
		v, err := driver.DefaultParameterConverter.ConvertValue(c.rows[i])
		if err != nil {
			return nil, err
		}
		text, _ := v.(string)
		size += len(text) + 8 // quotes, a comma, a few digits
		values = append(values, v)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeElement(&b, v); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.String(), nil
}

func writeElement(b *strings.Builder, v driver.Value) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("NULL")
	case int64:
		var digits [20]byte
		b.Write(strconv.AppendInt(digits[:0], v, 10))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		b.WriteByte('"')
		from := 0
		for i := range len(v) {
			if v[i] == '"' || v[i] == '\\' {
				b.WriteString(v[from:i])
				b.WriteByte('\\')
				from = i
			}
		}
		b.WriteString(v[from:])
		b.WriteByte('"')
	default:
		return fmt.Errorf("a %T has no place in an array", v)
	}
	return nil
}
