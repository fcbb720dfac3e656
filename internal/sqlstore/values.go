package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// instantLayout writes an instant in fixed width, so that the order of the
// texts is the order of the times. Postgres reads the same text.
const instantLayout = "2006-01-02T15:04:05.000000Z"

// timestamp is a column that holds an instant or NULL. A zero time is NULL.
type timestamp struct{ time.Time }

func stamp(t time.Time) timestamp { return timestamp{t} }

func stampOf(t *time.Time) timestamp {
	if t == nil {
		return timestamp{}
	}
	return timestamp{*t}
}

// pointer is the column as the domain has it: nil for NULL.
func (t timestamp) pointer() *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}

// Value implements driver.Valuer.
func (t timestamp) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return core.Instant(t.Time).Format(instantLayout), nil
}

// Scan implements sql.Scanner.
func (t *timestamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case string:
		parsed, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return fmt.Errorf("column holds no instant: %w", err)
		}
		t.Time = parsed.UTC()
	case time.Time:
		t.Time = v.UTC()
	default:
		return fmt.Errorf("column holds a %T, not an instant", src)
	}
	return nil
}

// document is a column that holds a JSON document.
type document[T any] struct{ value T }

// Value implements driver.Valuer.
func (d document[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(d.value)
	return string(b), err
}

// Scan implements sql.Scanner.
func (d *document[T]) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), &d.value)
	case []byte:
		return json.Unmarshal(v, &d.value)
	}
	return fmt.Errorf("column holds a %T, not a JSON document", src)
}

// documentOf is a document column that may be NULL.
func documentOf[T any](p *T) any {
	if p == nil {
		return nil
	}
	return document[T]{*p}
}

// valueIn is what a document column that may be NULL holds.
func valueIn[T any](d *document[T]) *T {
	if d == nil {
		return nil
	}
	return &d.value
}

// rawJSON is a column that holds JSON we do not look into, or NULL.
type rawJSON json.RawMessage

// Value implements driver.Valuer.
func (r rawJSON) Value() (driver.Value, error) {
	if r == nil {
		return nil, nil
	}
	return string(r), nil
}

// Scan implements sql.Scanner.
func (r *rawJSON) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*r = nil
	case string:
		*r = rawJSON(v)
	case []byte:
		*r = append(rawJSON(nil), v...)
	default:
		return fmt.Errorf("column holds a %T, not JSON", src)
	}
	return nil
}

// nullable is NULL for an empty text.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// until is how long to wait for an instant: 0 when it has come, negative when
// there is none.
func until(now time.Time, next timestamp) time.Duration {
	if next.IsZero() {
		return -1
	}
	return max(0, next.Sub(now))
}
